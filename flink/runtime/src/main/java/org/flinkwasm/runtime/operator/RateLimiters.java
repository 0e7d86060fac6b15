package org.flinkwasm.runtime.operator;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;

/** What a subtask gets of the rate limiters of a plan. */
final class RateLimiters {
    private RateLimiters() {}

    /** The limiters as OPEN has them: those of the whole job are divided among the subtasks. */
    static JsonArray ofSubtask(JsonArray limiters, int parallelism) {
        JsonArray shares = new JsonArray();
        for (JsonElement element : limiters) {
            JsonObject limiter = element.getAsJsonObject();
            boolean ofJob = limiter.has("scope") && limiter.get("scope").getAsString().equals("job");
            JsonObject share = share(limiter, ofJob ? parallelism : 1);
            share.addProperty("shared", !ofJob);
            JsonArray tiers = new JsonArray();
            if (limiter.has("tiers")) {
                limiter.getAsJsonArray("tiers").forEach(tier -> tiers.add(share(tier.getAsJsonObject(), ofJob ? parallelism : 1)));
            }
            share.add("tiers", tiers);
            shares.add(share);
        }
        return shares;
    }

    /** A part of a bucket. A burst of nothing would never grant anything. */
    private static JsonObject share(JsonObject bucket, int parts) {
        JsonObject share = new JsonObject();
        share.add("name", bucket.get("name"));
        share.addProperty("rate", bucket.get("rate").getAsDouble() / parts);
        share.addProperty("burst", Math.max(1, bucket.get("burst").getAsLong() / parts));
        return share;
    }
}
