package org.flinkwasm.runtime.plan;

import com.google.gson.JsonObject;
import org.apache.flink.api.common.RuntimeExecutionMode;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.ExecutionOptions;
import org.apache.flink.configuration.PipelineOptions;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.Schema;
import org.apache.flink.table.api.Table;
import org.apache.flink.table.api.TableDescriptor;
import org.apache.flink.table.api.bridge.java.StreamStatementSet;
import org.apache.flink.table.api.bridge.java.StreamTableEnvironment;
import org.apache.flink.table.catalog.Column;
import org.apache.flink.table.catalog.ResolvedSchema;
import org.apache.flink.table.expressions.Expression;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.utils.LogicalTypeUtils;
import org.apache.flink.table.types.utils.TypeConversions;
import org.flinkwasm.runtime.Diagnostic;
import org.flinkwasm.runtime.DiagnosticException;
import org.flinkwasm.runtime.ErrorCode;
import org.flinkwasm.runtime.operator.WasmOperatorSpec;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.Kind;
import org.flinkwasm.runtime.operator.WasmOptions;
import org.flinkwasm.runtime.plan.Plan.Function;
import org.flinkwasm.runtime.plan.Plan.Step;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

import static org.apache.flink.table.api.Expressions.$;
import static org.apache.flink.table.api.Expressions.callSql;

/** Carries out the steps of a plan in a table environment. Nothing runs before {@link #attach()} and the environment's execute. */
public final class PlanTranslator {
    /** Job parameter with the digest of the bundle. */
    private static final String DIGEST_PARAMETER = "flink-wasm.digest";

    /** Job parameter with what each operator with state keeps, as JSON by uid. */
    private static final String STATE_PARAMETER = "flink-wasm.state";

    private static final Pattern SET = Pattern.compile("(?is)SET\\s+'([^']+)'\\s*=\\s*'([^']*)'");
    private static final Pattern FIRST_WORD = Pattern.compile("\\s*([A-Za-z]+)");
    private static final Set<String> DEFINITIONS = Set.of("CREATE", "DROP", "ALTER", "USE", "LOAD", "UNLOAD");

    private final Plan plan;
    private final String bundleDigest;
    private final StreamExecutionEnvironment environment;
    private final StreamTableEnvironment tables;
    private final StreamStatementSet inserts;
    private final WasmOperatorSpec.Settings settings;
    private final Set<String> relations = new LinkedHashSet<>();
    private final JsonObject states = new JsonObject();
    private int insertCount;

    /** A translator into an environment that was made with {@link #configuration}. */
    public PlanTranslator(Plan plan, String bundleDigest, StreamExecutionEnvironment environment, Configuration configuration) {
        this.plan = plan;
        this.bundleDigest = bundleDigest;
        this.environment = environment;
        tables = StreamTableEnvironment.create(
                environment, EnvironmentSettings.newInstance().withConfiguration(configuration).build());
        inserts = tables.createStatementSet();
        settings = settings(environment.getConfiguration());
    }

    /** Flink's configuration of the job. */
    public static Configuration configuration(Plan plan, String sidecarSocket) {
        Configuration configuration = new Configuration();
        // Rows are views of columns: copying each between chained operators would cost what columns save.
        configuration.set(PipelineOptions.OBJECT_REUSE, true);
        configuration.set(PipelineOptions.NAME, plan.name());
        plan.options().forEach(configuration::setString);
        if (sidecarSocket != null) {
            configuration.set(WasmOptions.SIDECAR_SOCKET, sidecarSocket);
        }
        return configuration;
    }

    private static WasmOperatorSpec.Settings settings(ReadableConfig options) {
        return new WasmOperatorSpec.Settings(
                options.get(WasmOptions.SIDECAR_SOCKET),
                options.get(WasmOptions.CONNECT_TIMEOUT).toMillis(),
                options.get(WasmOptions.BUNDLE_ROWS),
                (int) Math.min(Integer.MAX_VALUE / 4, options.get(WasmOptions.BUNDLE_BYTES).getBytes()),
                options.get(WasmOptions.BUNDLE_TIME).toMillis(),
                options.get(WasmOptions.BUNDLE_IN_FLIGHT),
                options.get(WasmOptions.STATE_CACHE_SLOTS),
                options.get(WasmOptions.STATE_CACHE_BYTES).getBytes(),
                options.getOptional(WasmOptions.REPLY_TIMEOUT).map(Duration::toMillis).orElse(null));
    }

    /** Carries out all steps. */
    public PlanTranslator translate() {
        for (Step step : plan.steps()) {
            try {
                translate(step);
            } catch (Exception e) {
                Diagnostic diagnostic = Diagnoser.diagnose(e, () -> columnsFor(step), this::functions);
                throw new DiagnosticException(diagnostic.pointer(step.from()), e);
            }
        }
        if (insertCount == 0) {
            throw new DiagnosticException(new Diagnostic(ErrorCode.PLAN_REFUSED, "the job writes to no sink"));
        }
        return this;
    }

    private void translate(Step step) {
        switch (step.kind()) {
            case "statement":
                statement(step);
                break;
            case "view":
                Table selected = tables.sqlQuery(step.sql());
                view(
                        step.name(),
                        step.drop() == null || step.drop().isEmpty() ? selected : selected.dropColumns(references(step.drop())));
                break;
            case "assign":
                view(step.name(), from(step.input()).addOrReplaceColumns(callSql(step.sql()).as(step.column())));
                break;
            case "wasm":
                Function function = plan.functions().get(step.function());
                if (function == null) {
                    throw new DiagnosticException(new Diagnostic(
                                    ErrorCode.UNKNOWN_FUNCTION, "unknown function `" + step.function() + "`")
                            .identifier(step.function(), plan.functions().keySet()));
                }
                wasm(step, function);
                break;
            case "insert":
                insert(step);
                break;
            default:
                throw new DiagnosticException(
                        new Diagnostic(ErrorCode.NEWER_BUNDLE, "the plan has a step of the unknown kind `" + step.kind() + "`")
                                .help("use the flink-wasm that wrote the plan"));
        }
    }

    private Table from(String relation) {
        return tables.from(SqlTypes.quoted(relation));
    }

    private static Expression[] references(List<String> columns) {
        return columns.stream().map(column -> $(column)).toArray(Expression[]::new);
    }

    private void view(String name, Table table) {
        tables.createTemporaryView(SqlTypes.quoted(name), table);
        relations.add(name);
    }

    private void wasm(Step step, Function function) {
        boolean isKeyed = !step.key().isEmpty();
        if (!isKeyed && Kind.PROCESS.wireName().equals(function.kind())) {
            throw new DiagnosticException(
                    new Diagnostic(ErrorCode.MISSING_KEY, "the plan gives no key to the process function `" + step.function() + "`")
                            .help("put a `groupBy` directly before it"));
        }
        if (isKeyed && tables.getConfig().get(ExecutionOptions.RUNTIME_MODE) == RuntimeExecutionMode.BATCH) {
            throw new DiagnosticException(
                    new Diagnostic(ErrorCode.BATCH_MODE, "the process function `" + step.function() + "` can't run in BATCH mode")
                            .help("leave the option execution.runtime-mode out: a bounded source ends a STREAMING job too"));
        }
        WasmNode node = isKeyed ? new ProcessNode(tables, step, function) : new RowNode(tables, step, function);
        node.lay(bundleDigest, settings).forEach(this::view);
        if (isKeyed) {
            states.add(step.uid(), node.state());
        }
    }

    private void statement(Step step) {
        Matcher set = SET.matcher(step.sql().strip());
        if (set.matches()) {
            tables.getConfig().set(set.group(1), set.group(2));
            return;
        }
        Matcher word = FIRST_WORD.matcher(step.sql());
        String first = word.lookingAt() ? word.group(1).toUpperCase(Locale.ROOT) : "";
        if (first.equals("INSERT")) {
            inserts.addInsertSql(step.sql());
            insertCount++;
        } else if (DEFINITIONS.contains(first)) {
            tables.executeSql(step.sql());
            relations.addAll(Arrays.asList(tables.listTables()));
        } else {
            throw new DiagnosticException(new Diagnostic(
                            ErrorCode.UNSUPPORTED_PART, "a job can't hold the statement " + (first.isEmpty() ? step.sql() : first))
                    .help("CREATE, DROP, ALTER, USE, LOAD, SET and INSERT can stand in a job"));
        }
    }

    private void insert(Step step) {
        Table input = from(step.input());
        if (step.with() != null) {
            createSink(step, input.getResolvedSchema());
        }
        List<Column> sinkColumns =
                from(step.table()).getResolvedSchema().getColumns().stream().filter(Column::isPersisted).toList();
        ResolvedSchema rows = input.getResolvedSchema();
        List<String> matched = new ArrayList<>();
        for (Column sink : sinkColumns) {
            Column column = rows.getColumn(sink.getName()).orElse(null);
            if (column != null) {
                checkSinkType(step, column, sink);
                matched.add(SqlTypes.quoted(sink.getName()));
            } else if (!sink.getDataType().getLogicalType().isNullable()) {
                throw new DiagnosticException(new Diagnostic(
                                ErrorCode.UNKNOWN_COLUMN,
                                "the sink `" + step.table() + "` needs a column `" + sink.getName() + "`, its input has none")
                        .note("columns: " + String.join(", ", rows.getColumnNames()))
                        .identifier(sink.getName(), rows.getColumnNames()));
            }
        }
        if (matched.isEmpty()) {
            throw new DiagnosticException(
                    new Diagnostic(ErrorCode.TYPE_MISMATCH, "the sink `" + step.table() + "` and its input have no column in common")
                            .note("columns of the sink: " + String.join(", ", sinkColumns.stream().map(Column::getName).toList()))
                            .note("columns of the input: " + String.join(", ", rows.getColumnNames())));
        }
        String columns = String.join(", ", matched);
        String target = matched.size() == sinkColumns.size() ? "" : " (" + columns + ")";
        inserts.addInsertSql("INSERT INTO " + SqlTypes.quoted(step.table()) + target + " SELECT " + columns + " FROM "
                + SqlTypes.quoted(step.input()));
        insertCount++;
    }

    /** Creates the sink with the columns of its input. */
    private void createSink(Step step, ResolvedSchema rows) {
        Schema.Builder schema = Schema.newBuilder();
        for (Column column : rows.getColumns()) {
            LogicalType type = LogicalTypeUtils.removeTimeAttributes(column.getDataType().getLogicalType());
            schema.column(column.getName(), TypeConversions.fromLogicalToDataType(type));
        }
        TableDescriptor.Builder descriptor = TableDescriptor.forConnector(step.with().get("connector")).schema(schema.build());
        step.with().forEach((key, value) -> {
            if (!key.equals("connector")) {
                descriptor.option(key, value);
            }
        });
        tables.createTemporaryTable(SqlTypes.quoted(step.table()), descriptor.build());
        relations.add(step.table());
    }

    private static void checkSinkType(Step step, Column column, Column sink) {
        LogicalType from = LogicalTypeUtils.removeTimeAttributes(column.getDataType().getLogicalType());
        LogicalType to = LogicalTypeUtils.removeTimeAttributes(sink.getDataType().getLogicalType());
        if (!SqlTypes.isImplicitlyCast(from, to)) {
            throw new DiagnosticException(new Diagnostic(
                            ErrorCode.TYPE_MISMATCH,
                            "column `" + column.getName() + "` is " + SqlTypes.toSql(from) + ", the sink `" + step.table() + "` takes "
                                    + SqlTypes.toSql(to))
                    .help("CAST(" + SqlTypes.name(column.getName()) + " AS " + SqlTypes.toSql(to.copy(true)) + ")"));
        }
    }

    /** The columns that a step may name: its input's, or those of the relations that its SQL mentions. */
    private Collection<String> columnsFor(Step step) {
        Set<String> columns = new LinkedHashSet<>();
        for (String relation : relations) {
            boolean mentioned = step.input() != null
                    ? relation.equals(step.input())
                    : step.sql() != null && Pattern.compile("\\b" + Pattern.quote(relation) + "\\b").matcher(step.sql()).find();
            if (mentioned) {
                columns.addAll(from(relation).getResolvedSchema().getColumnNames());
            }
        }
        return columns;
    }

    private Collection<String> functions() {
        Set<String> functions = new TreeSet<>(Arrays.asList(tables.listFunctions()));
        functions.addAll(plan.functions().keySet());
        return functions;
    }

    /** Lets the planner look at everything, without running anything. */
    public void validate() {
        try {
            inserts.explain();
        } catch (Exception e) {
            throw refused(e);
        }
    }

    /** Adds the inserts to the stream environment, uids to all operators, and to the job's parameters what it is: Flink's REST API tells them. */
    public void attach() {
        try {
            inserts.attachAsDataStream();
        } catch (Exception e) {
            throw refused(e);
        }
        OperatorUids.set(environment.getTransformations());
        Map<String, String> parameters = new LinkedHashMap<>(environment.getConfig().getGlobalJobParameters().toMap());
        parameters.put(DIGEST_PARAMETER, bundleDigest);
        parameters.put(STATE_PARAMETER, states.toString());
        // Only now: the planner configures the environment anew whenever it translates.
        environment.configure(new Configuration().set(PipelineOptions.GLOBAL_JOB_PARAMETERS, parameters));
    }

    /** The planner looks at all inserts at once; what it refuses is laid at the door of the last. */
    private DiagnosticException refused(Exception e) {
        Step last = plan.steps().get(plan.steps().size() - 1);
        return new DiagnosticException(Diagnoser.diagnose(e, () -> columnsFor(last), this::functions).pointer(last.from()), e);
    }

    /** The columns of every table and view, with their types as SQL. */
    public Map<String, Map<String, String>> relations() {
        Map<String, Map<String, String>> schemas = new LinkedHashMap<>();
        for (String relation : relations) {
            Map<String, String> columns = new LinkedHashMap<>();
            for (Column column : from(relation).getResolvedSchema().getColumns()) {
                columns.put(column.getName(), SqlTypes.toSql(column.getDataType().getLogicalType()));
            }
            schemas.put(relation, columns);
        }
        return schemas;
    }
}
