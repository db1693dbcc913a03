package examples.client;

import com.google.gson.Gson;
import com.google.gson.JsonParseException;
import examples.greeter.v1.GreeterGrpc;
import examples.greeter.v1.GreeterOuterClass.GreetRequest;
import examples.ticker.v1.TickerGrpc;
import examples.ticker.v1.TickerOuterClass.TickReply;
import examples.ticker.v1.TickerOuterClass.TickRequest;
import io.grpc.ChannelCredentials;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.TlsChannelCredentials;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import sun.misc.Signal;

/** Calls one service by its contract at a fixed rate, and prints what came of each call. */
final class Client {
  private static final double TICK_SECONDS = 0.2;
  private static final CountDownLatch ended = new CountDownLatch(1);

  public static void main(String[] arguments) throws InterruptedException {
    Signal.handle(new Signal("TERM"), signal -> ended.countDown());
    try {
      run(arguments);
    } catch (IllegalArgumentException | JsonParseException | IOException error) {
      System.err.println(error);
      System.exit(2);
    }
  }

  private static void run(String[] arguments) throws IOException, InterruptedException {
    var options = new HashMap<>(Map.of("--rate", "10", "--seconds", "Infinity", "--stream", "0"));
    options.putAll(Map.of("--message-bytes", "3", "--ca", ""));
    boolean known = arguments.length % 2 == 1;
    for (int i = 1; i + 1 < arguments.length; i += 2) {
      known &= options.replace(arguments[i], arguments[i + 1]) != null;
    }
    double rate = Double.parseDouble(options.get("--rate"));
    if (!known || rate <= 0) {
      System.err.println("usage: CONTRACT.json [--rate CALLS_PER_SECOND] [--seconds S]"
          + " [--stream SECONDS] [--message-bytes N] [--ca FILE]");
      System.exit(2);
    }
    double seconds = Double.parseDouble(options.get("--seconds"));
    int ticks = (int) Math.round(Double.parseDouble(options.get("--stream")) / TICK_SECONDS);
    String name = "x".repeat(Integer.parseInt(options.get("--message-bytes")));
    Contract contract = Contract.read(Files.readString(Path.of(arguments[0])));
    ManagedChannel channel = contract.dial(credentials(contract, options.get("--ca")));

    long pause = Math.round(1e9 / rate);
    var clock = Executors.newSingleThreadScheduledExecutor();
    var calls = Executors.newCachedThreadPool();
    if (ticks > 0) {
      clock.scheduleWithFixedDelay(() -> tick(channel, ticks), 0, pause, TimeUnit.NANOSECONDS);
    } else {
      Runnable call = () -> calls.execute(() -> greet(channel, name));
      clock.scheduleAtFixedRate(call, 0, pause, TimeUnit.NANOSECONDS);
    }
    ended.await((long) (seconds * 1e9), TimeUnit.NANOSECONDS);
    ended.countDown();
    clock.shutdownNow(); // interrupts a stream, which cancels it
    clock.awaitTermination(1, TimeUnit.MINUTES);
    calls.shutdown();
    calls.awaitTermination(Long.MAX_VALUE, TimeUnit.NANOSECONDS);
    channel.shutdownNow();
  }

  private static ChannelCredentials credentials(Contract contract, String ca) throws IOException {
    if (!contract.tls()) {
      return InsecureChannelCredentials.create();
    }
    var tls = TlsChannelCredentials.newBuilder();
    return (ca.isEmpty() ? tls : tls.trustManager(new File(ca))).build();
  }

  private static void greet(ManagedChannel channel, String name) {
    var sent = new Sent();
    var request = GreetRequest.newBuilder().setName(name).build();
    try {
      var reply = GreeterGrpc.newBlockingStub(channel).greet(request);
      sent.report(Status.OK, reply.getPod(), reply.getCaller(), Map.of());
    } catch (StatusRuntimeException error) {
      sent.report(error.getStatus(), "", "", Map.of());
    }
  }

  private static void tick(ManagedChannel channel, int count) {
    var sent = new Sent();
    int ticks = 0;
    var request = TickRequest.newBuilder().setCount(count).setIntervalSeconds(TICK_SECONDS).build();
    try {
      TickReply last = TickReply.getDefaultInstance();
      var replies = TickerGrpc.newBlockingStub(channel).tick(request);
      for (; replies.hasNext(); ticks++) {
        last = replies.next();
      }
      sent.report(Status.OK, last.getPod(), last.getCaller(), Map.of("ticks", ticks));
    } catch (StatusRuntimeException error) {
      if (ended.getCount() > 0) { // otherwise we cancelled it
        sent.report(error.getStatus(), "", "", Map.of("ticks", ticks));
      }
    }
  }

  /** When a call was sent. */
  private record Sent(long milliseconds, long nanoseconds) {
    Sent() {
      this(System.currentTimeMillis(), System.nanoTime());
    }

    void report(Status status, String pod, String envoy, Map<String, Integer> more) {
      var line = new LinkedHashMap<String, Object>();
      line.put("at", milliseconds / 1e3);
      line.put("ms", (System.nanoTime() - nanoseconds) / 1e6);
      line.put("code", status.getCode().name());
      line.put("pod", pod);
      line.put("envoy", envoy);
      line.put("message", status.getDescription() == null ? "" : status.getDescription());
      line.putAll(more);
      System.out.println(new Gson().toJson(line)); // flushes
    }
  }
}
