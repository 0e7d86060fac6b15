package org.flinkwasm.runtime.protocol;

/** What the items of a keyed bundle are. The ordinals are the numbers of the wire. */
public enum BundleMode {
    ROWS,
    EVENT_TIME_TIMERS,
    PROCESSING_TIME_TIMERS
}
