"""Whether another implementation of RP1, in any language, gives every byte that SPEC.md asks for."""
