namespace Mamba.Managed.Training;

/// <summary>A loss or a gradient is infinite or not a number; nothing was changed by it.</summary>
public sealed class NonFiniteException : ArithmeticException
{
    /// <summary>An exception without details.</summary>
    public NonFiniteException()
        : this("a value")
    {
    }

    /// <summary>An exception that says what was not finite.</summary>
    /// <param name="source">The parameter's path, or <c>loss</c>.</param>
    public NonFiniteException(string source)
        : this(source, null)
    {
    }

    /// <summary>An exception that says what was not finite, and why.</summary>
    /// <param name="source">The parameter's path, or <c>loss</c>.</param>
    /// <param name="innerException">The cause.</param>
    public NonFiniteException(string source, Exception? innerException)
        : base($"{source} is not finite; the weights were left as they are: lower the learning rate, or look for bad values in weights and data", innerException) =>
        Parameter = source;

    /// <summary>The path of the parameter whose gradient is not finite, or <c>loss</c>.</summary>
    public string Parameter { get; }
}
