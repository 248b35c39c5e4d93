namespace Mamba.Managed.Training;

/// <summary>A loss or a gradient is infinite or NaN. The weights and the carried states are unchanged.</summary>
public sealed class NonFiniteException : ArithmeticException
{
    /// <summary>An exception without details.</summary>
    public NonFiniteException()
        : this("a value is not finite")
    {
    }

    /// <summary>An exception with a message.</summary>
    /// <param name="message">What is not finite, and what to do.</param>
    public NonFiniteException(string message)
        : this(message, null)
    {
    }

    /// <summary>An exception with a message and a cause.</summary>
    /// <param name="message">What is not finite, and what to do.</param>
    /// <param name="innerException">The cause.</param>
    public NonFiniteException(string message, Exception? innerException)
        : base(message, innerException)
    {
    }

    /// <summary>What is not finite: <c>the loss</c>, or <c>the gradient of</c> a parameter by its path; empty if not known.</summary>
    public string Quantity { get; private init; } = "";

    /// <summary>The exception for a quantity.</summary>
    /// <param name="quantity"><c>the loss</c>, or <c>the gradient of</c> a parameter by its path.</param>
    public static NonFiniteException Of(string quantity) =>
        new($"{quantity} is not finite; the weights were left as they are: lower the learning rate, or look for bad values in weights and data") { Quantity = quantity };
}
