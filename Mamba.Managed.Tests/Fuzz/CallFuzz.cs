namespace Mamba.Managed.Tests.Fuzz;

/// <summary>Public calls with random records, lengths and numbers, one after the other on one thread.</summary>
internal sealed class CallFuzz : FuzzPart
{
    private static readonly Action<Draw>[] Steps = [.. LayerFuzz.All, .. ModelFuzz.All, .. ValueFuzz.All, .. StateFuzz.All, .. TrainingFuzz.All];

    private readonly GuardedRows? guarded = OperatingSystem.IsLinux() ? new() : null;

    /// <inheritdoc/>
    public override void Step(Random random)
    {
        Action<Draw> step = Steps[random.Next(Steps.Length)];
        Try(() => step(new Draw(random, guarded)));
    }

    /// <inheritdoc/>
    public override void Close() => guarded?.Dispose();
}
