package org.flinkwasm.runtime.bundle;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import org.flinkwasm.runtime.Diagnostic;
import org.flinkwasm.runtime.DiagnosticException;
import org.flinkwasm.runtime.ErrorCode;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/** The bundle's OCI image layout, found as resources below {@code flink-wasm/}. */
public final class BundleOnClassPath {
    private static final String ROOT = "flink-wasm/";
    private static final String PLAN_TYPE = "application/vnd.flink-wasm.plan.v1+json";
    private static final String SHA256 = "sha256:";

    private final ClassLoader classLoader;

    public BundleOnClassPath(ClassLoader classLoader) {
        this.classLoader = classLoader;
    }

    /** The digest of the manifest: the job's identity. */
    public String digest() {
        JsonObject index = json(read(ROOT + "index.json"));
        if (!(index.get("manifests") instanceof com.google.gson.JsonArray manifests) || manifests.isEmpty()) {
            throw new DiagnosticException(new Diagnostic(ErrorCode.NOT_A_BUNDLE, "the bundle's index names no manifest"));
        }
        return manifests.get(0).getAsJsonObject().get("digest").getAsString();
    }

    /** The plan's text. */
    public String plan() {
        JsonObject manifest = json(blob(digest()));
        for (JsonElement layer : manifest.getAsJsonArray("layers")) {
            JsonObject descriptor = layer.getAsJsonObject();
            if (PLAN_TYPE.equals(descriptor.get("mediaType").getAsString())) {
                return new String(blob(descriptor.get("digest").getAsString()), StandardCharsets.UTF_8);
            }
        }
        throw new DiagnosticException(new Diagnostic(ErrorCode.NEWER_BUNDLE, "the bundle holds no plan that this runtime can read")
                .help("use the flink-wasm that wrote the bundle"));
    }

    /** The bytes that have this digest. */
    public byte[] blob(String digest) {
        if (!digest.matches("sha256:[0-9a-f]{64}")) {
            throw new DiagnosticException(new Diagnostic(ErrorCode.CORRUPT_BUNDLE, "`" + digest + "` is no digest"));
        }
        byte[] bytes = read(ROOT + "blobs/sha256/" + digest.substring(SHA256.length()));
        String actual = SHA256 + HexFormat.of().formatHex(sha256(bytes));
        if (!actual.equals(digest)) {
            throw new DiagnosticException(
                    new Diagnostic(ErrorCode.CORRUPT_BUNDLE, "the blob " + digest + " has the digest " + actual).help("get the bundle again"));
        }
        return bytes;
    }

    private byte[] read(String resource) {
        try (InputStream stream = classLoader.getResourceAsStream(resource)) {
            if (stream == null) {
                throw new DiagnosticException(new Diagnostic(ErrorCode.NOT_A_BUNDLE, "the class path has no " + resource)
                        .help("run the job with `flink-wasm run` or `flink-wasm submit`: they put the bundle into the runtime's jar"));
            }
            return stream.readAllBytes();
        } catch (IOException e) {
            throw new DiagnosticException(new Diagnostic(ErrorCode.CORRUPT_BUNDLE, resource + " can't be read: " + e.getMessage()), e);
        }
    }

    private static JsonObject json(byte[] bytes) {
        try {
            return JsonParser.parseString(new String(bytes, StandardCharsets.UTF_8)).getAsJsonObject();
        } catch (JsonParseException | IllegalStateException e) {
            throw new DiagnosticException(new Diagnostic(ErrorCode.NOT_A_BUNDLE, "the bundle's index or manifest is no JSON object"), e);
        }
    }

    private static byte[] sha256(byte[] bytes) {
        try {
            return MessageDigest.getInstance("SHA-256").digest(bytes);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every JVM has SHA-256", e);
        }
    }
}
