package org.flinkwasm.benches;

import com.sun.management.OperatingSystemMXBean;

import java.lang.management.ManagementFactory;

/** What this process has had of the processor: where cores are shared, it says more than time. */
final class Cpu {
    private Cpu() {}

    static long nanos() {
        return ((OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean()).getProcessCpuTime();
    }
}
