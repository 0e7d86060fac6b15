package org.flinkwasm.runtime.plan;

import org.apache.flink.api.dag.Transformation;

import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * Uids of the operators that Flink's planner makes. Flink finds their state in a savepoint by hashes of how the whole job is chained, which change
 * with the parallelism already: sources would lose their offsets. Here a uid is what the operator is called, such as {@code sql: clicks} for a source.
 */
final class OperatorUids {
    /** Counters of the JVM in the planner's names: {@code Calc[7]}, {@code *anonymous_datastream_source$3*}. */
    private static final Pattern COUNTERS = Pattern.compile("\\[\\d+\\]|\\$\\d+");

    private final Set<Integer> visited = new HashSet<>();
    private final Map<String, Integer> uses = new HashMap<>();

    private OperatorUids() {}

    /** Gives uids to all operators before and among these that have none. */
    static void set(Collection<Transformation<?>> transformations) {
        OperatorUids uids = new OperatorUids();
        transformations.forEach(uids::visit);
    }

    /** Inputs first: the order, which tells operators of one name apart, is that of the plan's steps. */
    private void visit(Transformation<?> transformation) {
        if (!visited.add(transformation.getId())) {
            return;
        }
        transformation.getInputs().forEach(this::visit);
        if (transformation.getUid() == null) {
            String name = "sql: " + COUNTERS.matcher(transformation.getName()).replaceAll("");
            int use = uses.merge(name, 1, Integer::sum);
            transformation.setUid(use == 1 ? name : name + " " + use);
        }
    }
}
