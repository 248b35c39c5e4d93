namespace Mamba.Managed.Generation;

/// <summary>A request was refused because as many are queued as may be.</summary>
/// <param name="message">What was expected, and what was found.</param>
/// <param name="retryAfter">When it may be worth trying again, estimated from how fast requests end.</param>
public sealed class QueueFullException(string message, TimeSpan retryAfter) : Exception(message)
{
    /// <summary>When it may be worth trying again, estimated from how fast requests end.</summary>
    public TimeSpan RetryAfter { get; } = retryAfter;
}
