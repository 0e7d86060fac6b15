package org.flinkwasm.benches;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** One job's run. Source, sink and the program that waits for the job share it: they are in one JVM. */
final class Run {
    private static final Map<String, Run> RUNS = new ConcurrentHashMap<>();

    private final String name;
    private final Workload workload;
    private final long leadNanos;
    private final long windowNanos;

    /** Only the task thread uses these before the run is over. */
    private long startedAt;
    private boolean isStarted;
    private long windowAt;
    private long rowsBeforeWindow;
    private boolean isWindowOpen;

    private long rows;
    private double rowsPerSecond;
    private long arrivedRows = -1;
    private long arrivedChecksum;

    /** A run that measures for some seconds after a lead: until then the job starts, connects and compiles. */
    Run(String name, Workload workload, double leadSeconds, double windowSeconds) {
        this.name = name;
        this.workload = workload;
        leadNanos = (long) (leadSeconds * 1e9);
        windowNanos = (long) (windowSeconds * 1e9);
        RUNS.put(name, this);
    }

    static Run named(String name) {
        return RUNS.get(name);
    }

    Workload workload() {
        return workload;
    }

    /** Called by the source with the number of rows so far; true when it should end. */
    boolean isOver(long count, long now) {
        if (!isStarted) {
            isStarted = true;
            startedAt = now;
        }
        if (!isWindowOpen && now - startedAt >= leadNanos) {
            isWindowOpen = true;
            windowAt = now;
            rowsBeforeWindow = count;
        }
        if (!isWindowOpen || now - windowAt < windowNanos) {
            return false;
        }
        sent(count, (count - rowsBeforeWindow) * 1e9 / (now - windowAt));
        return true;
    }

    private synchronized void sent(long count, double perSecond) {
        rows = count;
        rowsPerSecond = perSecond;
    }

    /** Called by the sink at its end. */
    synchronized void arrived(long count, long checksum) {
        arrivedRows = count;
        arrivedChecksum = checksum;
    }

    /** Checks what came out, and gives the speed in rows a second. */
    synchronized double finish() {
        RUNS.remove(name);
        long expectedRows = 0;
        long expectedChecksum = 0;
        long[] hashes = workload.expectedHashes();
        boolean[] kept = workload.kept();
        int mask = hashes.length - 1;
        for (long i = 0; i < rows; i++) {
            int row = (int) i & mask;
            if (kept[row]) {
                expectedRows++;
                expectedChecksum = Workload.add(expectedChecksum, hashes[row]);
            }
        }
        if (arrivedRows != expectedRows || arrivedChecksum != expectedChecksum) {
            throw new IllegalStateException(name + ": " + arrivedRows + " rows with checksum " + arrivedChecksum + " arrived, expected "
                    + expectedRows + " with " + expectedChecksum);
        }
        return rowsPerSecond;
    }

    /** Rows that the source put out. */
    synchronized long rows() {
        return rows;
    }
}
