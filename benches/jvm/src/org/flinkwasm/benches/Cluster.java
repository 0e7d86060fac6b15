package org.flinkwasm.benches;

import org.apache.flink.api.common.JobID;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.runtime.checkpoint.AbstractCheckpointStats;
import org.apache.flink.runtime.checkpoint.CompletedCheckpointStats;
import org.apache.flink.runtime.jobmaster.JobResult;
import org.apache.flink.runtime.minicluster.MiniCluster;
import org.apache.flink.runtime.minicluster.MiniClusterConfiguration;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.graph.StreamGraph;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/** The embedded cluster that all jobs of a program share: one slot. */
final class Cluster {
    private final MiniCluster cluster;

    Cluster() throws Exception {
        Configuration configuration = new Configuration();
        // All checkpoints of a run are asked for at its end.
        configuration.setString("web.checkpoints.history", "10000");
        configuration.setString("taskmanager.memory.managed.size", "512m");
        cluster = new MiniCluster(new MiniClusterConfiguration.Builder()
                .setConfiguration(configuration)
                .setNumTaskManagers(1)
                .setNumSlotsPerTaskManager(1)
                .withRandomPorts()
                .build());
        cluster.start();
    }

    JobID start(StreamExecutionEnvironment environment, String name) throws Exception {
        StreamGraph graph = environment.getStreamGraph();
        graph.setJobName(name);
        return cluster.submitJob(graph.getJobGraph()).get().getJobID();
    }

    /** Waits for the job's end; its failure is thrown. */
    void await(JobID job) throws Exception {
        end(job).get().toJobExecutionResult(Cluster.class.getClassLoader());
    }

    /** Completes with the job. To be asked for once: every question is kept until then. */
    CompletableFuture<JobResult> end(JobID job) {
        return cluster.requestJobResult(job);
    }

    /** The job's completed checkpoints, the oldest first. */
    List<CompletedCheckpointStats> checkpoints(JobID job) throws Exception {
        List<CompletedCheckpointStats> completed = new ArrayList<>();
        for (AbstractCheckpointStats checkpoint :
                cluster.getExecutionGraph(job).get().getCheckpointStatsSnapshot().getHistory().getCheckpoints()) {
            if (checkpoint instanceof CompletedCheckpointStats stats) {
                completed.add(0, stats);
            }
        }
        return completed;
    }
}
