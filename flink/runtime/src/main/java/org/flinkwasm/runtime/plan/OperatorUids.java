package org.flinkwasm.runtime.plan;

import org.apache.flink.api.dag.Transformation;
import org.apache.flink.streaming.api.transformations.PhysicalTransformation;

import java.nio.charset.StandardCharsets;
import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import java.util.UUID;
import java.util.stream.Collectors;

/**
 * Gives the planner's operators uids. The ids that Flink makes up depend on which operators are chained, and so on the
 * parallelism: a job that was rescaled would not find the state of its sources and sinks. These depend on the operator and on
 * what comes before it alone.
 */
final class OperatorUids {
    /** The planner numbers what it makes through a whole JVM: {@code Calc[12]}, {@code *anonymous_datastream_source$8*[19]}. */
    private static final String NUMBER = "\\[\\d+]|\\$\\d+";

    private final Map<Transformation<?>, String> known = new HashMap<>();
    private final Map<String, Integer> occurrences = new HashMap<>();

    /** Gives a uid to every operator that leads to {@code ends} and has none. */
    static void assign(Collection<Transformation<?>> ends) {
        OperatorUids uids = new OperatorUids();
        ends.forEach(uids::of);
    }

    private String of(Transformation<?> transformation) {
        String uid = known.get(transformation);
        if (uid == null) {
            uid = transformation.getUid() != null ? transformation.getUid() : made(transformation);
            known.put(transformation, uid);
        }
        return uid;
    }

    private String made(Transformation<?> transformation) {
        String inputs = transformation.getInputs().stream().map(this::of).collect(Collectors.joining("\n"));
        if (!(transformation instanceof PhysicalTransformation)) {
            // How rows are distributed: no operator, and where parallelism differs the planner may add one.
            return inputs;
        }
        String name = transformation.getName().replaceAll(NUMBER, "");
        String uid = distinct(name + "\n" + inputs);
        transformation.setUid(uid);
        return uid;
    }

    private String distinct(String path) {
        // Two alike, such as two sinks of one relation, are told apart by their order in the plan.
        int occurrence = occurrences.merge(path, 1, Integer::sum);
        return UUID.nameUUIDFromBytes((path + "\n" + occurrence).getBytes(StandardCharsets.UTF_8)).toString();
    }
}
