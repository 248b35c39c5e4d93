using Mamba.Managed.Tensors;

namespace Mamba.Managed.Training;

/// <summary>The recipe of a run: with the same recipe, data and first weights, a run gives the same bits.</summary>
public sealed record TrainerOptions
{
    private const string RecipeSeparator = ", ";

    /// <summary>Steps of the whole run.</summary>
    public long Steps { get; init; } = 1000;

    /// <summary>The learning rate of each step.</summary>
    public LearningRateSchedule Schedule { get; init; } = new(1e-3);

    /// <summary>The hyperparameters of the optimizer.</summary>
    public AdamWOptions Optimizer { get; init; } = new();

    /// <summary>How batches are cut.</summary>
    public BatchOptions Batch { get; init; } = new();

    /// <summary>Batches whose gradients are accumulated for one step.</summary>
    public int Accumulate { get; init; } = 1;

    /// <summary>Dropout rate of each block's output.</summary>
    public float Dropout { get; init; }

    /// <summary>
    /// Decay rate of an exponential moving average of the weights; 0 for no average. The averaged weights are the ones that are validated and
    /// published. In the first steps the rate is at most (1 + step) / (10 + step), so that the average follows faster.
    /// </summary>
    public double AverageDecay { get; init; }

    /// <summary>Tokens at the end of the data that are kept for validation.</summary>
    public long ValidationTokens { get; init; }

    /// <summary>Steps between validations; 0 for one at the end only.</summary>
    public long ValidateEvery { get; init; }

    /// <summary>Steps between checkpoints; 0 for those at the end and after the best validations only.</summary>
    public long SaveEvery { get; init; }

    /// <summary>Checkpoints that are kept beside the best one.</summary>
    public int KeepLast { get; init; } = 2;

    /// <summary>How the weights in the run's folder are stored for generation: Float32, Float16 or BFloat16. Checkpoints are always Float32.</summary>
    public ElementType SaveType { get; init; } = ElementType.Float32;

    /// <summary>Threads that compute; 0 for one per processor. Their number does not change the bits.</summary>
    public int Threads { get; init; }

    /// <summary>Checks every value and returns these options.</summary>
    /// <exception cref="ArgumentException">A value is out of range; the message names it.</exception>
    public TrainerOptions Validate()
    {
        ArgumentOutOfRangeException.ThrowIfNegative(Steps);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(Accumulate);
        ArgumentOutOfRangeException.ThrowIfNegative(ValidationTokens);
        ArgumentOutOfRangeException.ThrowIfNegative(ValidateEvery);
        ArgumentOutOfRangeException.ThrowIfNegative(SaveEvery);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(KeepLast);
        if (!(Dropout >= 0 && Dropout < 1))
        {
            Throw.Argument(Throw.Invariant($"expected a dropout from 0 up to but not including 1, found {Dropout}"), nameof(Dropout));
        }

        if (!(AverageDecay >= 0 && AverageDecay < 1))
        {
            Throw.Argument(Throw.Invariant($"expected a decay of the average from 0 up to but not including 1, found {AverageDecay}"), nameof(AverageDecay));
        }

        if (SaveType is not (ElementType.Float32 or ElementType.Float16 or ElementType.BFloat16))
        {
            Throw.Argument($"expected Float32, Float16 or BFloat16, found {SaveType}", nameof(SaveType));
        }

        Schedule.Validate();
        Optimizer.Validate();
        Batch.Validate();
        return this;
    }

    /// <summary>The options that must be the same when a run is resumed, each with its name.</summary>
    internal string Recipe(string data) => string.Join(
        RecipeSeparator,
        data,
        Throw.Invariant($"validation {ValidationTokens}"),
        Throw.Invariant($"learning rate {Schedule.Peak}"),
        Throw.Invariant($"warm-up {Schedule.WarmUpSteps}"),
        Throw.Invariant($"cosine of {Schedule.TotalSteps} steps"),
        Throw.Invariant($"least learning rate {Schedule.Floor}"),
        Throw.Invariant($"beta 1 {Optimizer.Beta1}"),
        Throw.Invariant($"beta 2 {Optimizer.Beta2}"),
        Throw.Invariant($"epsilon {Optimizer.Epsilon}"),
        Throw.Invariant($"weight decay {Optimizer.WeightDecay}"),
        Throw.Invariant($"clip {Optimizer.MaxNorm}"),
        Throw.Invariant($"batch {Batch.Windows}"),
        Throw.Invariant($"length {Batch.Length}"),
        Throw.Invariant($"seed {Batch.Seed}"),
        Batch.CarryState ? "carried states" : "shuffled windows",
        Throw.Invariant($"accumulate {Accumulate}"),
        Throw.Invariant($"dropout {Dropout}"),
        Throw.Invariant($"average {AverageDecay}"));

    /// <summary>Whether a recipe is of these data.</summary>
    internal static bool IsRecipeOf(string recipe, string data) => recipe.Split(RecipeSeparator)[0] == data;

    /// <summary>The parts in which a recipe differs from another.</summary>
    internal static string Difference(string recipe, string other) =>
        string.Join(RecipeSeparator, recipe.Split(RecipeSeparator).Except(other.Split(RecipeSeparator)));
}
