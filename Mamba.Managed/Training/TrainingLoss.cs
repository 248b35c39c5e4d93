namespace Mamba.Managed.Training;

/// <summary>The loss of a batch.</summary>
/// <param name="Sum">The sum over all targets, in nats.</param>
/// <param name="Count">The number of targets.</param>
public readonly record struct TrainingLoss(double Sum, int Count)
{
    /// <summary>Nats for each target; 0 without targets.</summary>
    public double Mean => Count == 0 ? 0 : Sum / Count;
}
