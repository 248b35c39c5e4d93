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
    /// <param name="source">As <c>the loss</c>, or <c>the gradient of backbone.layers.0.mixer.D</c>.</param>
    public NonFiniteException(string source)
        : this(source, null)
    {
    }

    /// <summary>An exception that says what was not finite, and why.</summary>
    /// <param name="source">As <c>the loss</c>, or <c>the gradient of backbone.layers.0.mixer.D</c>.</param>
    /// <param name="innerException">The cause.</param>
    public NonFiniteException(string source, Exception? innerException)
        : base($"{source} is not finite; the weights were left as they are: lower the learning rate, or look for bad values in weights and data", innerException) =>
        Quantity = source;

    /// <summary>What is not finite: <c>the loss</c>, or <c>the gradient of</c> a parameter by its path.</summary>
    public string Quantity { get; }
}
