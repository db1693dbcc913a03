package examples.client;

// snippet: begin
import com.google.gson.FieldNamingPolicy;
import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.reflect.TypeToken;
import io.grpc.ChannelCredentials;
import io.grpc.Grpc;
import io.grpc.ManagedChannel;
import java.security.Security;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** How to dial one service. A field that is absent (null) leaves gRPC's default. */
record Contract(
    String targetUri,
    String host,
    boolean tls,
    String serviceConfig,
    Double keepaliveTimeSeconds,
    Double keepaliveTimeoutSeconds,
    Double minResolutionIntervalSeconds,
    Integer maxMessageBytes) {

  static Contract read(String json) {
    var snake = FieldNamingPolicy.LOWER_CASE_WITH_UNDERSCORES;
    return new GsonBuilder().setFieldNamingPolicy(snake).create().fromJson(json, Contract.class);
  }

  private static long milliseconds(double seconds) {
    return Math.round(seconds * 1000);
  }

  /** The credentials: InsecureChannelCredentials, or where `tls` is true TlsChannelCredentials. */
  ManagedChannel dial(ChannelCredentials credentials) {
    if (minResolutionIntervalSeconds != null) {
      // gRPC reads the system property. It drops a look-up that comes sooner; other languages delay
      // it: https://github.com/grpc/grpc-java/pull/12681. The JVM reads the security properties at
      // its first look-up. It need not cache a failed one: gRPC waits before it tries again.
      String seconds = String.valueOf((long) Math.ceil(minResolutionIntervalSeconds));
      System.setProperty("networkaddress.cache.ttl", seconds);
      Security.setProperty("networkaddress.cache.ttl", seconds);
      Security.setProperty("networkaddress.cache.negative.ttl", "0");
    }
    var builder = Grpc.newChannelBuilder(targetUri, credentials).overrideAuthority(host);
    if (serviceConfig != null) { // balancing, and the deadline of each call
      // With pick_first a silent first address costs 30 s: Happy Eyeballs is off by default,
      // see https://github.com/grpc/grpc-java/pull/11120. round_robin connects to all at once.
      var config = new Gson().fromJson(serviceConfig, new TypeToken<Map<String, ?>>() {});
      builder.defaultServiceConfig(config);
    }
    // Pings only with calls in flight, at most one in 10 s. On Linux the timeout is also
    // TCP_USER_TIMEOUT: https://github.com/grpc/proposal/blob/master/A18-tcp-user-timeout.md
    if (keepaliveTimeSeconds != null) {
      builder.keepAliveTime(milliseconds(keepaliveTimeSeconds), TimeUnit.MILLISECONDS);
    }
    if (keepaliveTimeoutSeconds != null) {
      builder.keepAliveTimeout(milliseconds(keepaliveTimeoutSeconds), TimeUnit.MILLISECONDS);
    }
    if (maxMessageBytes != null) {
      builder.maxInboundMessageSize(maxMessageBytes);
    }
    ManagedChannel channel = builder.keepAliveWithoutCalls(false).build();
    channel.getState(true); // connects now, not at the first call
    return channel;
  }
}
// snippet: end
