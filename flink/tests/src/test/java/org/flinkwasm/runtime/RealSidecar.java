package org.flinkwasm.runtime;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.stream.Stream;

/** The sidecar's own binary, and the components that it runs. */
public final class RealSidecar implements AutoCloseable {
    public final Path socket;
    private final Process process;

    public RealSidecar(Path folder) throws IOException {
        Path binary = required("flink-wasm.sidecar", "the sidecar's binary: cargo build --release -p flink-wasm-sidecar");
        socket = folder.resolve("real.sock");
        process = new ProcessBuilder(binary.toString(), "--socket", socket.toString(), "--health-addr", "none")
                .redirectError(folder.resolve("sidecar.log").toFile())
                .start();
        BufferedReader out = process.inputReader();
        if (out.readLine() == null) {
            throw new AssertionError("the sidecar did not start: " + Files.readString(folder.resolve("sidecar.log")));
        }
    }

    private static Path required(String property, String what) {
        String value = System.getProperty(property);
        if (value == null || !Files.exists(Path.of(value))) {
            throw new AssertionError("the property " + property + " should name " + what + "; it is " + value);
        }
        return Path.of(value);
    }

    /** The bytes of a component. */
    public static byte[] component(String name) throws IOException {
        Path folder = required("flink-wasm.guests", "a folder of components NAME.wasm");
        Path file = folder.resolve(name + ".wasm");
        if (!Files.exists(file)) {
            throw new AssertionError("the folder of components has no " + file);
        }
        return Files.readAllBytes(file);
    }

    /** Puts bytes under their digest into an image layout, and says the digest. */
    public static String putBlob(Path layout, byte[] bytes) throws Exception {
        String hex = HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
        Path blobs = layout.resolve("flink-wasm/blobs/sha256");
        Files.createDirectories(blobs);
        Files.write(blobs.resolve(hex), bytes);
        return "sha256:" + hex;
    }

    /** Sends a signal, such as {@code STOP}. */
    public void signal(String name) throws Exception {
        int exit = new ProcessBuilder("kill", "-" + name, String.valueOf(process.pid())).inheritIO().start().waitFor();
        if (exit != 0) {
            throw new AssertionError("no signal " + name + " for the sidecar");
        }
        // On a busy machine the signal is sent long before every thread stands still.
        while (name.equals("STOP") && !isStopped()) {
            Thread.sleep(1);
        }
    }

    private boolean isStopped() throws IOException {
        try (Stream<Path> threads = Files.list(Path.of("/proc/" + process.pid() + "/task"))) {
            for (Path thread : threads.toList()) {
                String stat = Files.readString(thread.resolve("stat"));
                // The name in parentheses may hold anything; the state follows it.
                if (stat.charAt(stat.lastIndexOf(')') + 2) != 'T') {
                    return false;
                }
            }
        }
        return true;
    }

    @Override
    public void close() throws Exception {
        process.destroyForcibly().waitFor();
    }
}
