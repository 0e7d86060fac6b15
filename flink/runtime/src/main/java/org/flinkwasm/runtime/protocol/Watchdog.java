package org.flinkwasm.runtime.protocol;

import java.io.Closeable;
import java.io.IOException;
import java.util.concurrent.TimeUnit;

/**
 * Breaks a connection whose peer is awaited and says nothing for too long. A thread in a read, a write or a connect then goes on with an
 * exception: a peer that is frozen takes no bytes either, so that a timeout of reads alone would not do.
 */
final class Watchdog implements Closeable {
    /** How many times a timeout its end is looked for when nothing is awaited: then nobody has to wake this thread for each bundle. */
    private static final int ROUNDS = 4;

    private final Closeable connection;
    private final Thread thread;
    private long timeoutMs;
    /** When the peer was heard last, or began to be awaited, by {@link System#nanoTime}. */
    private long since;
    private int awaited;
    private boolean asked;
    private boolean closed;
    private boolean broken;

    Watchdog(Closeable connection, long timeoutMs) {
        this.connection = connection;
        this.timeoutMs = timeoutMs;
        thread = new Thread(this::watch, "wasm watchdog");
        thread.setDaemon(true);
        thread.start();
    }

    /** Sets how long the peer may be silent from now on. */
    synchronized void setTimeout(long millis) {
        timeoutMs = millis;
        since = System.nanoTime();
        notifyAll();
    }

    /** One more answer is awaited. */
    synchronized void expect() {
        if (awaited++ == 0) {
            since = System.nanoTime();
        }
    }

    /** An answer came. */
    synchronized void answered() {
        awaited--;
        since = System.nanoTime();
    }

    /** A sign of life came. */
    synchronized void heard() {
        since = System.nanoTime();
    }

    /** The peer waits for this side, or does not any more. */
    synchronized void setAsked(boolean isAsked) {
        asked = isAsked;
        since = System.nanoTime();
    }

    synchronized int awaited() {
        return awaited;
    }

    /** Whether the connection was broken because the peer was silent. */
    synchronized boolean isBroken() {
        return broken;
    }

    private void watch() {
        try {
            if (waitForSilence()) {
                connection.close();
            }
        } catch (InterruptedException | IOException e) {
            // Nobody interrupts this thread; and what can't be closed is not there any more.
        }
    }

    /** Whether the peer was silent for too long; not if the connection was closed before. */
    private synchronized boolean waitForSilence() throws InterruptedException {
        while (!closed) {
            long waitMs = Math.max(1, timeoutMs / ROUNDS);
            if (awaited > 0 && !asked) {
                long leftMs = timeoutMs - TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - since);
                if (leftMs <= 0) {
                    broken = true;
                    return true;
                }
                waitMs = Math.min(waitMs, leftMs);
            }
            wait(waitMs);
        }
        return false;
    }

    /** Ends the thread; a thread left behind would hold the job's class loader. */
    @Override
    public void close() {
        synchronized (this) {
            closed = true;
            notifyAll();
        }
    }
}
