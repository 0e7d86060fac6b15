package org.flinkwasm.runtime.operator;

import org.apache.flink.api.common.serialization.SerializerConfigImpl;
import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.core.memory.DataInputDeserializer;
import org.apache.flink.core.memory.DataOutputSerializer;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.types.logical.LogicalType;
import org.flinkwasm.runtime.Rows;
import org.flinkwasm.runtime.operator.WasmOperatorSpec.Column;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

/** Keys, and their bytes in savepoints. */
class RowKeySelectorTest {
    private static RowKeySelector selector(List<String> types) {
        List<Column> columns = new ArrayList<>();
        for (String type : types) {
            columns.add(new Column("c" + columns.size(), Rows.parse(type), columns.size()));
        }
        return new RowKeySelector(columns);
    }

    private static TypeSerializer<Object> serializer(List<String> types) {
        return selector(types).keyType().createSerializer(new SerializerConfigImpl());
    }

    private static StringData text(String text) {
        return StringData.fromString(text);
    }

    /** Types; a row, another with another key; what the first is in memory; its bytes. */
    static Stream<Arguments> keys() {
        return Stream.of(
                Arguments.of(List.of("BIGINT NOT NULL"), GenericRowData.of(7L), GenericRowData.of(8L), Long.class, 9),
                Arguments.of(List.of("BIGINT"), GenericRowData.of((Object) null), GenericRowData.of(0L), RowKey.class, 1),
                Arguments.of(List.of("INT"), GenericRowData.of(7), GenericRowData.of((Object) null), Integer.class, 5),
                Arguments.of(List.of("DATE NOT NULL"), GenericRowData.of(7), GenericRowData.of(-7), Integer.class, 5),
                Arguments.of(List.of("STRING"), GenericRowData.of(text("a")), GenericRowData.of(text("b")), RowKey.class, 20),
                Arguments.of(List.of("STRING"), GenericRowData.of((Object) null), GenericRowData.of(text("")), RowKey.class, 20),
                Arguments.of(
                        List.of("BIGINT", "STRING"),
                        GenericRowData.of(7L, text("longer than eight")),
                        GenericRowData.of(7L, text("longer than eighT")),
                        RowKey.class,
                        52));
    }

    @ParameterizedTest
    @MethodSource("keys")
    void comesBackFromItsBytes(List<String> types, RowData row, RowData other, Class<?> inMemory, int length) throws Exception {
        Object key = selector(types).getKey(row);
        assertEquals(inMemory, key.getClass());
        assertNotEquals(key, selector(types).getKey(other));
        TypeSerializer<Object> serializer = serializer(types);
        DataOutputSerializer out = new DataOutputSerializer(64);
        serializer.serialize(key, out);
        assertEquals(length, out.length());
        DataOutputSerializer copied = new DataOutputSerializer(64);
        serializer.copy(new DataInputDeserializer(out.getCopyOfBuffer()), copied);
        Object back = serializer.deserialize(new DataInputDeserializer(copied.getCopyOfBuffer()));
        assertEquals(key, back);
        assertEquals(key.hashCode(), back.hashCode());
        RowData view = new RowKeyView(types.size()).of(back);
        assertEquals(Rows.plain(row, parsed(types)), Rows.plain(view, parsed(types)));
    }

    private static List<LogicalType> parsed(List<String> types) {
        return types.stream().map(Rows::parse).toList();
    }

    /** The next key does not change the one before. */
    @Test
    void staysAsItIs() {
        RowKeySelector selector = selector(List.of("STRING"));
        Object key = selector.getKey(GenericRowData.of(text("first")));
        selector.getKey(GenericRowData.of(text("other")));
        assertEquals(selector.getKey(GenericRowData.of(text("first"))), key);
    }

    /** A column may become NOT NULL; it may not become another type. */
    @Test
    void savepointsKnowTheTypes() throws Exception {
        assertTrue(compatible("BIGINT", "BIGINT NOT NULL"));
        assertFalse(compatible("BIGINT", "INT"));
        assertFalse(compatible("INT", "DATE"));
        assertFalse(compatible("STRING", "BIGINT"));
    }

    private static boolean compatible(String before, String after) throws Exception {
        DataOutputSerializer out = new DataOutputSerializer(64);
        TypeSerializerSnapshot.writeVersionedSnapshot(out, serializer(List.of(before)).snapshotConfiguration());
        TypeSerializerSnapshot<Object> old = TypeSerializerSnapshot.readVersionedSnapshot(
                new DataInputDeserializer(out.getCopyOfBuffer()), RowKeySelectorTest.class.getClassLoader());
        assertEquals(serializer(List.of(before)), old.restoreSerializer());
        return serializer(List.of(after)).snapshotConfiguration().resolveSchemaCompatibility(old).isCompatibleAsIs();
    }
}
