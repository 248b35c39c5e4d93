namespace Mamba.Managed.Training;

/// <summary>The learning rate of each step: a linear warm-up, then a constant rate or cosine decay.</summary>
/// <param name="Peak">The rate after the warm-up.</param>
/// <param name="WarmUpSteps">Steps of the warm-up, whose first step has a rate above 0.</param>
/// <param name="TotalSteps">Steps after which the rate stays at <paramref name="Floor"/>; 0 for a constant rate.</param>
/// <param name="Floor">The rate at the end of the cosine.</param>
public sealed record LearningRateSchedule(double Peak, long WarmUpSteps = 0, long TotalSteps = 0, double Floor = 0)
{
    /// <summary>The rate of a step.</summary>
    /// <param name="step">0 for the first.</param>
    public double Rate(long step)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(step);
        if (step < WarmUpSteps)
        {
            return Peak * (step + 1) / WarmUpSteps;
        }

        if (TotalSteps == 0)
        {
            return Peak;
        }

        double progress = Math.Min(1, (double)(step - WarmUpSteps) / Math.Max(1, TotalSteps - WarmUpSteps));
        return Floor + ((Peak - Floor) * (1 + Math.Cos(Math.PI * progress)) / 2);
    }

    /// <summary>Checks every value and returns this schedule.</summary>
    /// <exception cref="ArgumentException">A value is out of range; the message names it.</exception>
    public LearningRateSchedule Validate()
    {
        if (!(Peak > 0 && Peak <= AdamW.MaxLearningRate))
        {
            Throw.Argument(Throw.Invariant($"expected a learning rate above 0 and up to {AdamW.MaxLearningRate}, found {Peak}"), nameof(Peak));
        }

        if (!(Floor >= 0 && Floor <= Peak))
        {
            Throw.Argument(Throw.Invariant($"expected a floor from 0 to the learning rate {Peak}, found {Floor}"), nameof(Floor));
        }

        ArgumentOutOfRangeException.ThrowIfNegative(WarmUpSteps);
        ArgumentOutOfRangeException.ThrowIfNegative(TotalSteps);
        if (TotalSteps > 0 && WarmUpSteps > TotalSteps)
        {
            Throw.Argument(Throw.Invariant($"expected a warm-up of at most the {TotalSteps} steps, found {WarmUpSteps}"), nameof(WarmUpSteps));
        }

        return this;
    }
}
