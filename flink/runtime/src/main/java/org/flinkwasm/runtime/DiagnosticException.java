package org.flinkwasm.runtime;

/** An exception that carries a {@link Diagnostic}; its message starts with the code. */
public class DiagnosticException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final Diagnostic diagnostic;

    public DiagnosticException(Diagnostic diagnostic) {
        this(diagnostic, null);
    }

    public DiagnosticException(Diagnostic diagnostic, Throwable cause) {
        super(diagnostic.toString(), cause);
        this.diagnostic = diagnostic;
    }

    public Diagnostic diagnostic() {
        return diagnostic;
    }
}
