namespace Mamba.Managed.Training;

/// <summary>What a pass over a batch lost.</summary>
/// <param name="Sum">Of all targets, in nats.</param>
/// <param name="Count">How many targets there were.</param>
public readonly record struct TrainingLoss(double Sum, int Count)
{
    /// <summary>Nats for each target; 0 without targets.</summary>
    public double Mean => Count == 0 ? 0 : Sum / Count;
}
