package dev.acrite;

import java.io.IOException;
import java.io.UncheckedIOException;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ParameterContext;
import org.junit.jupiter.api.extension.ParameterResolver;

/** One instance for all tests, and a fresh world for each. */
public final class AcriteExtension implements BeforeEachCallback, AfterEachCallback, ParameterResolver {
    private static final ExtensionContext.Namespace OURS = ExtensionContext.Namespace.create(AcriteExtension.class);
    private static final String BASE = "junit";

    /** Ends with the test run. */
    private record Shared(Acrite acrite) implements ExtensionContext.Store.CloseableResource {
        static Shared start() {
            try {
                Acrite acrite = Acrite.start();
                acrite.pointThisJvm();
                acrite.save(BASE);
                return new Shared(acrite);
            } catch (IOException why) {
                throw new UncheckedIOException(why);
            }
        }

        @Override
        public void close() {
            acrite.forget(BASE);
            acrite.close();
        }
    }

    private static Acrite acrite(ExtensionContext context) {
        return context.getRoot().getStore(OURS).getOrComputeIfAbsent(Shared.class, key -> Shared.start(), Shared.class).acrite();
    }

    @Override
    public void beforeEach(ExtensionContext context) {
        acrite(context).load(BASE);
    }

    @Override
    public void afterEach(ExtensionContext context) {
        acrite(context).clearFaults();
    }

    @Override
    public boolean supportsParameter(ParameterContext parameter, ExtensionContext context) {
        return parameter.getParameter().getType() == Acrite.class;
    }

    @Override
    public Object resolveParameter(ParameterContext parameter, ExtensionContext context) {
        return acrite(context);
    }
}
