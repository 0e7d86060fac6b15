package org.flinkwasm.benches;

import java.util.Arrays;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** One job's run. Source, sink and the program that waits for the job share it: they are in one JVM. */
final class Run {
    private static final Map<String, Run> RUNS = new ConcurrentHashMap<>();

    private final String name;
    private final Truth truth;
    private final Length lead;
    private final Length window;

    /** Only the source's thread uses these before the run is over. */
    private long startedAt;
    private boolean isStarted;
    private long windowAt;
    private boolean isWindowOpen;

    /** Rows that the source has put out, and those of them before the window; about, while the run goes on. */
    private volatile long rows;
    private volatile long rowsBeforeWindow = Long.MAX_VALUE;

    /** Null if nobody asks how long rows take. */
    private Latencies latencies;

    private final LinuxProcess[] processes;
    private double[] nanosBeforeWindow;
    private double[] nanosInWindow;

    private long windowOpenedAtMs;
    private long windowClosedAtMs;
    private double rowsPerSecond;
    private Truth.Arrived arrived;

    /** How long something goes on: both must have passed. */
    record Length(double seconds, long rows) {
        static Length seconds(double seconds) {
            return new Length(seconds, 0);
        }

        private boolean hasPassed(long nanos, long rows) {
            return nanos >= seconds * 1e9 && rows >= this.rows;
        }
    }

    /**
     * A run that measures in a window behind a lead: until then the job starts, connects, compiles and fills its state. The processor time of
     * the processes is measured too.
     */
    Run(String name, Truth truth, Length lead, Length window, LinuxProcess... processes) {
        this.name = name;
        this.truth = truth;
        this.lead = lead;
        this.window = window;
        this.processes = processes;
        RUNS.put(name, this);
    }

    static Run named(String name) {
        return RUNS.get(name);
    }

    Truth truth() {
        return truth;
    }

    /** Called by the source with the number of rows so far; true when it should end. */
    boolean isOver(long count, long now) {
        rows = count;
        if (!isStarted) {
            isStarted = true;
            startedAt = now;
        }
        if (!isWindowOpen && lead.hasPassed(now - startedAt, count)) {
            isWindowOpen = true;
            windowAt = now;
            rowsBeforeWindow = count;
            opened();
        }
        if (!isWindowOpen || !window.hasPassed(now - windowAt, count - rowsBeforeWindow)) {
            return false;
        }
        sent((count - rowsBeforeWindow) * 1e9 / (now - windowAt));
        return true;
    }

    private synchronized void opened() {
        windowOpenedAtMs = System.currentTimeMillis();
        nanosBeforeWindow = processorNanos();
    }

    private synchronized void sent(double perSecond) {
        windowClosedAtMs = System.currentTimeMillis();
        nanosInWindow = processorNanos();
        for (int i = 0; i < processes.length; i++) {
            nanosInWindow[i] -= nanosBeforeWindow[i];
        }
        rowsPerSecond = perSecond;
    }

    private double[] processorNanos() {
        return Arrays.stream(processes).mapToDouble(LinuxProcess::processorNanos).toArray();
    }

    /** Called by the sink at its end. */
    synchronized void arrived(long count, long checksum) {
        arrived = new Truth.Arrived(count, checksum);
    }

    /** Checks what came out, and gives the speed in rows a second. */
    synchronized double finish() {
        RUNS.remove(name);
        Truth.Arrived expected = truth.expected(rows);
        if (!expected.equals(arrived)) {
            throw new IllegalStateException(name + ": " + arrived + ", expected " + expected);
        }
        return rowsPerSecond;
    }

    /** Rows that the source has put out. */
    long rows() {
        return rows;
    }

    /** Rows before the window. */
    long rowsBeforeWindow() {
        return rowsBeforeWindow;
    }

    /** Rows that the source has put out in the window; negative as long as it is not open. */
    long rowsInWindow() {
        return rows - rowsBeforeWindow;
    }

    /** The processor time that each process had in the window, in nanoseconds a row. */
    synchronized double[] nanosARow() {
        return Arrays.stream(nanosInWindow).map(nanos -> nanos / rowsInWindow()).toArray();
    }

    /** Whether this was in the window, in milliseconds since the epoch. */
    synchronized boolean isInWindow(long timestamp) {
        return windowOpenedAtMs <= timestamp && timestamp <= windowClosedAtMs;
    }

    /** Called before the run: the sink tells how long every row took. */
    synchronized void keep(Latencies latencies) {
        this.latencies = latencies;
    }

    synchronized Latencies latencies() {
        return latencies;
    }
}
