namespace Mamba.Managed.Training;

/// <summary>The hyperparameters of <see cref="AdamW"/>; the defaults are common for language models.</summary>
public sealed record AdamWOptions
{
    /// <summary>Decay rate of the first moment.</summary>
    public float Beta1 { get; init; } = 0.9f;

    /// <summary>Decay rate of the second moment.</summary>
    public float Beta2 { get; init; } = 0.95f;

    /// <summary>Added to the root of the second moment.</summary>
    public float Epsilon { get; init; } = 1e-8f;

    /// <summary>Decoupled weight decay; A_log, D, biases and norm weights have none.</summary>
    public float WeightDecay { get; init; } = 0.1f;

    /// <summary>Gradients whose norm over all parameters is greater are scaled down to it; 0 for no clipping.</summary>
    public float MaxNorm { get; init; } = 1;

    /// <summary>Checks every value and returns these options.</summary>
    /// <exception cref="ArgumentException">A value is out of range; the message names it.</exception>
    public AdamWOptions Validate()
    {
        Check(Beta1 >= 0 && Beta1 < 1, "beta 1 from 0 up to but not including 1", Beta1, nameof(Beta1));
        Check(Beta2 >= 0 && Beta2 < 1, "beta 2 from 0 up to but not including 1", Beta2, nameof(Beta2));
        Check(Epsilon > 0 && float.IsFinite(Epsilon), "a positive epsilon", Epsilon, nameof(Epsilon));
        Check(WeightDecay >= 0 && float.IsFinite(WeightDecay), "a weight decay of 0 or more", WeightDecay, nameof(WeightDecay));
        Check(MaxNorm >= 0 && float.IsFinite(MaxNorm), "a greatest norm of 0 or more", MaxNorm, nameof(MaxNorm));
        return this;
    }

    private static void Check(bool right, string expected, float found, string name)
    {
        if (!right)
        {
            Throw.Argument(Throw.Invariant($"expected {expected}, found {found}"), name);
        }
    }
}
