namespace Mamba.Managed.Training;

/// <summary>The measurements of one step of a run.</summary>
/// <param name="Step">Steps made, this one included.</param>
/// <param name="Loss">Mean nats per target, before the update.</param>
/// <param name="GradientNorm">The norm over all gradients before clipping.</param>
/// <param name="LearningRate">The learning rate of the step.</param>
/// <param name="Tokens">The number of rows computed.</param>
/// <param name="Elapsed">Time of the step.</param>
/// <param name="Validation">Mean nats per validation target after the step; null if it was not measured.</param>
/// <param name="Saved">Whether a checkpoint is written after the step.</param>
public sealed record TrainingReport(
    long Step, double Loss, double GradientNorm, double LearningRate, int Tokens, TimeSpan Elapsed, double? Validation, bool Saved);
