package org.flinkwasm.runtime.protocol;

import org.flinkwasm.runtime.Diagnostic;
import org.flinkwasm.runtime.DiagnosticException;
import org.flinkwasm.runtime.ErrorCode;

/** The peer sent bytes that are not the protocol's. */
public final class ProtocolException extends DiagnosticException {
    private static final long serialVersionUID = 1L;

    private ProtocolException(Diagnostic diagnostic) {
        super(diagnostic);
    }

    public static ProtocolException violation(String what) {
        return new ProtocolException(
                new Diagnostic(ErrorCode.PROTOCOL_VIOLATION, what).help("operator and sidecar should be of the same version"));
    }
}
