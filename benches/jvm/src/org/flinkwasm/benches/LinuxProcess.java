package org.flinkwasm.benches;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** What Linux says of a process. */
record LinuxProcess(long id) {
    /** Linux counts a process's time in hundredths of a second, on every machine of today. */
    private static final double NANOS_A_TICK = 1e7;

    static LinuxProcess ofThisJvm() {
        return new LinuxProcess(ProcessHandle.current().pid());
    }

    /** The processor time that it has had, in nanoseconds: where cores are shared, it says more than a clock. */
    double processorNanos() {
        String stat = read("stat").get(0);
        // The program's name may hold anything, but ends with the last parenthesis; fields 14 and 15 are user and system time.
        String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
        return (Long.parseLong(fields[11]) + Long.parseLong(fields[12])) * NANOS_A_TICK;
    }

    double residentMib() {
        for (String line : read("status")) {
            if (line.startsWith("VmRSS:")) {
                return Double.parseDouble(line.replaceAll("[^0-9]", "")) / 1024.0;
            }
        }
        throw new IllegalStateException("process " + id + " has no VmRSS");
    }

    private List<String> read(String file) {
        try {
            return Files.readAllLines(Path.of("/proc/" + id + "/" + file));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
