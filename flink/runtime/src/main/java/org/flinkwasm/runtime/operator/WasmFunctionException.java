package org.flinkwasm.runtime.operator;

import org.apache.flink.runtime.throwable.ThrowableAnnotation;
import org.apache.flink.runtime.throwable.ThrowableType;
import org.flinkwasm.runtime.Diagnostic;
import org.flinkwasm.runtime.DiagnosticException;

/**
 * A function, or a row given to it, is at fault. The same rows would fail again, so Flink does not restart the job whatever its restart
 * strategy is.
 */
@ThrowableAnnotation(ThrowableType.NonRecoverableError)
public final class WasmFunctionException extends DiagnosticException {
    private static final long serialVersionUID = 1L;

    public WasmFunctionException(Diagnostic diagnostic) {
        super(diagnostic);
    }
}
