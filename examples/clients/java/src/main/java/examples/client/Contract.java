package examples.client;

import com.google.gson.Gson;
import com.google.gson.reflect.TypeToken;
import io.grpc.ChannelCredentials;
import io.grpc.Grpc;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
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

  private static long milliseconds(double seconds) {
    return Math.round(seconds * 1000);
  }

  // snippet: begin
  ManagedChannel dial(ChannelCredentials credentials) {
    if (minResolutionIntervalSeconds != null) {
      // gRPC reads the system property, the JVM the security properties, and only at its first look-up.
      // A failed look-up is not cached: gRPC itself waits before it tries again.
      String seconds = String.valueOf((long) Math.ceil(minResolutionIntervalSeconds));
      System.setProperty("networkaddress.cache.ttl", seconds);
      Security.setProperty("networkaddress.cache.ttl", seconds);
      Security.setProperty("networkaddress.cache.negative.ttl", "0");
    }
    ManagedChannelBuilder<?> builder = Grpc.newChannelBuilder(targetUri, credentials).overrideAuthority(host);
    if (serviceConfig != null) { // balancing, and the deadline of each call
      builder.defaultServiceConfig(new Gson().fromJson(serviceConfig, new TypeToken<Map<String, ?>>() {}));
    }
    // Pings with calls in flight only, each 10 s at most. On Linux the timeout is TCP_USER_TIMEOUT too:
    // https://github.com/grpc/proposal/blob/master/A18-tcp-user-timeout.md
    if (keepaliveTimeSeconds != null) {
      builder.keepAliveTime(milliseconds(keepaliveTimeSeconds), TimeUnit.MILLISECONDS).keepAliveWithoutCalls(false);
    }
    if (keepaliveTimeoutSeconds != null) {
      builder.keepAliveTimeout(milliseconds(keepaliveTimeoutSeconds), TimeUnit.MILLISECONDS);
    }
    if (maxMessageBytes != null) {
      builder.maxInboundMessageSize(maxMessageBytes);
    }
    ManagedChannel channel = builder.build();
    channel.getState(true); // connects now, not at the first call
    return channel;
  }
  // snippet: end
}
