package org.flinkwasm.runtime.operator;

import org.flinkwasm.runtime.protocol.Limits;

import java.util.Arrays;

/**
 * Which key has which slot of the sidecar. A slot that a bundle on its way names is held; the others are idle, and the one that has been idle
 * longest is given up first. A hash table over arrays: nothing is allocated for a key but the key.
 */
final class SlotTable {
    private static final int NONE = -1;
    private static final int INITIAL_SLOTS = 1024;

    /** What a key costs the sidecar besides the bytes of its values. */
    private static final int SLOT_BYTES = 64;

    private final int valueStates;

    // For each slot.
    private Object[] keys = new Object[INITIAL_SLOTS];
    private int[] hashes = new int[INITIAL_SLOTS];
    private int[] holds = new int[INITIAL_SLOTS];
    private long[] bundles = new long[INITIAL_SLOTS];
    private int[] indices = new int[INITIAL_SLOTS];
    private int[] valueBytes;
    private int[] older = new int[INITIAL_SLOTS];
    private int[] newer = new int[INITIAL_SLOTS];

    // Slots that no key has: those given up, then those never used.
    private int[] free = new int[INITIAL_SLOTS];
    private int freeCount;
    private int usedSlots;

    // Idle slots, a list linked by age.
    private int oldest = NONE;
    private int newest = NONE;

    /** Open addressing: slots + 1, 0 where there is none. */
    private int[] table = new int[INITIAL_SLOTS * 2];

    private int size;
    private long bytes;

    SlotTable(int valueStates) {
        this.valueStates = valueStates;
        valueBytes = new int[INITIAL_SLOTS * valueStates];
    }

    int size() {
        return size;
    }

    /** What the values of all slots take in the sidecar, roughly. */
    long bytes() {
        return bytes;
    }

    /** The slot of a key, or -1. */
    int find(Object key, int hash) {
        int mask = table.length - 1;
        for (int at = spread(hash) & mask; table[at] != 0; at = at + 1 & mask) {
            int slot = table[at] - 1;
            if (hashes[slot] == hash && keys[slot].equals(key)) {
                return slot;
            }
        }
        return NONE;
    }

    private static int spread(int hash) {
        return hash ^ hash >>> 16;
    }

    /** Gives a slot to a key that has none. The key is kept as it is. */
    int add(Object key, int hash) {
        if (size == Limits.MAX_SLOTS) {
            throw new IllegalStateException("all " + Limits.MAX_SLOTS + " slots are held by bundles");
        }
        if (size * 2 >= table.length) {
            enlargeTable();
        }
        int slot = freeCount > 0 ? free[--freeCount] : newSlot();
        keys[slot] = key;
        hashes[slot] = hash;
        holds[slot] = 0;
        bundles[slot] = 0;
        insert(slot);
        size++;
        bytes += SLOT_BYTES;
        linkNewest(slot);
        return slot;
    }

    private int newSlot() {
        if (usedSlots == keys.length) {
            int length = usedSlots * 2;
            keys = Arrays.copyOf(keys, length);
            hashes = Arrays.copyOf(hashes, length);
            holds = Arrays.copyOf(holds, length);
            bundles = Arrays.copyOf(bundles, length);
            indices = Arrays.copyOf(indices, length);
            valueBytes = Arrays.copyOf(valueBytes, length * valueStates);
            older = Arrays.copyOf(older, length);
            newer = Arrays.copyOf(newer, length);
            free = Arrays.copyOf(free, length);
        }
        return usedSlots++;
    }

    private void insert(int slot) {
        int mask = table.length - 1;
        int at = spread(hashes[slot]) & mask;
        while (table[at] != 0) {
            at = at + 1 & mask;
        }
        table[at] = slot + 1;
    }

    private void enlargeTable() {
        int[] old = table;
        table = new int[old.length * 2];
        for (int entry : old) {
            if (entry != 0) {
                insert(entry - 1);
            }
        }
    }

    Object key(int slot) {
        return keys[slot];
    }

    /** A bundle names the slot: it is held until released as often. */
    void hold(int slot) {
        if (holds[slot]++ == 0) {
            unlink(slot);
        }
    }

    void release(int slot) {
        if (--holds[slot] == 0) {
            linkNewest(slot);
        }
    }

    boolean isHeld(int slot) {
        return holds[slot] > 0;
    }

    /** Remembers the index of the slot's key in a bundle that is being filled; bundles have numbers from 1. */
    void setIndex(int slot, long bundle, int index) {
        bundles[slot] = bundle;
        indices[slot] = index;
    }

    /** The index of the slot's key in a bundle, or -1. */
    int index(int slot, long bundle) {
        return bundles[slot] == bundle ? indices[slot] : NONE;
    }

    /** Says how large a value has become. */
    void setValueBytes(int slot, int valueState, int length) {
        int at = slot * valueStates + valueState;
        bytes += length - valueBytes[at];
        valueBytes[at] = length;
    }

    /** Takes the slot that is idle longest from its key; -1 if all are held. */
    int giveUpOldest() {
        int slot = oldest;
        if (slot == NONE) {
            return NONE;
        }
        unlink(slot);
        remove(slot);
        keys[slot] = null;
        for (int state = 0; state < valueStates; state++) {
            setValueBytes(slot, state, 0);
        }
        size--;
        bytes -= SLOT_BYTES;
        free[freeCount++] = slot;
        return slot;
    }

    /** Removes from the hash table; entries behind move up, so that no search ends early. */
    private void remove(int slot) {
        int mask = table.length - 1;
        int at = spread(hashes[slot]) & mask;
        while (table[at] != slot + 1) {
            at = at + 1 & mask;
        }
        int next = at + 1 & mask;
        while (table[next] != 0) {
            int home = spread(hashes[table[next] - 1]) & mask;
            if ((next - home & mask) >= (next - at & mask)) {
                table[at] = table[next];
                at = next;
            }
            next = next + 1 & mask;
        }
        table[at] = 0;
    }

    private void linkNewest(int slot) {
        older[slot] = newest;
        newer[slot] = NONE;
        if (newest == NONE) {
            oldest = slot;
        } else {
            newer[newest] = slot;
        }
        newest = slot;
    }

    private void unlink(int slot) {
        int before = older[slot];
        int after = newer[slot];
        if (before == NONE) {
            oldest = after;
        } else {
            newer[before] = after;
        }
        if (after == NONE) {
            newest = before;
        } else {
            older[after] = before;
        }
    }
}
