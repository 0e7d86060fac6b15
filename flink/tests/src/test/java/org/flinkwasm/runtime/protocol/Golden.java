package org.flinkwasm.runtime.protocol;

import org.apache.flink.formats.common.TimestampFormat;
import org.apache.flink.formats.json.JsonRowDataDeserializationSchema;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.runtime.typeutils.InternalTypeInfo;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.LogicalTypeRoot;
import org.apache.flink.table.types.logical.RowType;
import org.flinkwasm.runtime.Rows;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

import static org.junit.jupiter.api.Assertions.assertEquals;

/** Reads {@code crates/protocol/tests/golden}. */
abstract class Golden {
    private static final Path GOLDEN = Path.of(System.getProperty("flink-wasm.repository"), "crates/protocol/tests/golden");
    static final ObjectMapper JSON = new ObjectMapper();

    static byte[] frame(String name) throws Exception {
        return Files.readAllBytes(GOLDEN.resolve(name + ".bin"));
    }

    static JsonNode description(String name) throws Exception {
        return JSON.readTree(Files.readString(GOLDEN.resolve(name + ".json")));
    }

    static byte[] payload(byte[] frame) {
        assertEquals(frame.length - FrameHeader.BYTES, FrameHeader.payloadLength(frame));
        return Arrays.copyOfRange(frame, FrameHeader.BYTES, frame.length);
    }

    static List<LogicalType> types(JsonNode fields) {
        List<LogicalType> types = new ArrayList<>();
        fields.forEach(field -> types.add(Rows.parse(field.get("type").asText())));
        return types;
    }

    static List<String> names(JsonNode fields) {
        List<String> names = new ArrayList<>();
        fields.forEach(field -> names.add(field.get("name").asText()));
        return names;
    }

    /** The described rows, read by Flink's own JSON format. */
    static List<RowData> rows(JsonNode fields, Iterable<JsonNode> rows) throws Exception {
        RowType type = RowType.of(types(fields).toArray(new LogicalType[0]), names(fields).toArray(new String[0]));
        JsonRowDataDeserializationSchema format =
                new JsonRowDataDeserializationSchema(type, InternalTypeInfo.of(type), false, false, TimestampFormat.SQL);
        format.open(null);
        List<RowData> result = new ArrayList<>();
        for (JsonNode row : rows) {
            GenericRowData data = (GenericRowData) format.deserialize(JSON.writeValueAsBytes(row));
            for (int i = 0; i < type.getFieldCount(); i++) {
                // Flink's format drops the fraction of a TIME.
                if (type.getTypeAt(i).is(LogicalTypeRoot.TIME_WITHOUT_TIME_ZONE) && !data.isNullAt(i)) {
                    LocalTime time = LocalTime.parse(row.get(type.getFieldNames().get(i)).asText());
                    data.setField(i, (int) (time.toNanoOfDay() / 1_000_000));
                }
            }
            result.add(data);
        }
        return result;
    }
}
