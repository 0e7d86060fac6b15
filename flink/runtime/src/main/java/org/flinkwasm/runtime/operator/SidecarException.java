package org.flinkwasm.runtime.operator;

import org.flinkwasm.runtime.Diagnostic;
import org.flinkwasm.runtime.DiagnosticException;
import org.flinkwasm.runtime.ErrorCode;

/** The sidecar is away, or the connection to it is broken. The restart strategy decides what happens. */
public final class SidecarException extends DiagnosticException {
    private static final long serialVersionUID = 1L;

    public SidecarException(Diagnostic diagnostic, Throwable cause) {
        super(diagnostic, cause);
    }

    /** The exception for a diagnostic: {@link WasmFunctionException} when trying again can't help. */
    public static DiagnosticException of(Diagnostic diagnostic) {
        return of(diagnostic, null);
    }

    /** The same, with what caused it. */
    public static DiagnosticException of(Diagnostic diagnostic, Throwable cause) {
        return ErrorCode.isDeterministic(diagnostic.code())
                ? new WasmFunctionException(diagnostic)
                : new SidecarException(diagnostic, cause);
    }
}
