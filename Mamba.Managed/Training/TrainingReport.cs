namespace Mamba.Managed.Training;

/// <summary>What one step of a run did.</summary>
/// <param name="Step">Steps made, this one included.</param>
/// <param name="Loss">Mean nats per target, before the step.</param>
/// <param name="GradientNorm">Before clipping.</param>
/// <param name="LearningRate">Used by the step.</param>
/// <param name="Tokens">Rows that were computed.</param>
/// <param name="Elapsed">Time of the step.</param>
/// <param name="Validation">Mean nats per validation target after the step, where it was measured.</param>
/// <param name="Saved">Whether a checkpoint is written after the step.</param>
public sealed record TrainingReport(
    long Step, double Loss, double GradientNorm, double LearningRate, int Tokens, TimeSpan Elapsed, double? Validation, bool Saved);
