using Mamba.Managed.Tensors;

namespace Mamba.Managed.Evaluation;

/// <summary>What it costs to hold one tensor in another type.</summary>
/// <param name="Type">The type.</param>
/// <param name="Bytes">What the tensor takes in it.</param>
/// <param name="RelativeError">Root mean square of the change of the elements, over their root mean square.</param>
/// <param name="NatsPerToken">What the model loses, in nats per token, when this tensor alone is held so; below 0 where the text happens to gain.</param>
internal sealed record QuantizationCandidate(ElementType Type, long Bytes, double RelativeError, double NatsPerToken);

/// <summary>One tensor, and the types that it might be held in.</summary>
/// <param name="Name">The path in the model's tree, which is its name in checkpoints.</param>
/// <param name="Tensor">The tensor as it is.</param>
/// <param name="Candidates">Largest first.</param>
internal sealed record QuantizedTensor(string Name, Tensor Tensor, IReadOnlyList<QuantizationCandidate> Candidates);

/// <summary>A type for each tensor.</summary>
/// <param name="Types">By the tensors' names; what is not named stays as it is.</param>
/// <param name="Bytes">What all tensors of the report take so.</param>
/// <param name="ExpectedNats">The sum of what each costs alone, in nats per token, gains counted as losses.</param>
internal sealed record QuantizationChoice(IReadOnlyDictionary<string, ElementType> Types, long Bytes, double ExpectedNats)
{
    /// <summary>What the model loses with all of them together, measured, in nats per token.</summary>
    public double MeasuredNats { get; init; }
}

/// <summary>What each matrix of a model loses in each type, as <see cref="QuantizationStudy"/> measured it on a text.</summary>
/// <param name="Baseline">The text under the model as it is.</param>
/// <param name="Tensors">The matrices, in the order of the tree.</param>
internal sealed record QuantizationReport(Likelihood Baseline, IReadOnlyList<QuantizedTensor> Tensors)
{
    // Costs below this are the rounding of the sum over a text.
    private const double Smallest = 1e-9;

    /// <summary>The types that save the most bytes for what they cost.</summary>
    /// <param name="budget">Nats per token that all of them may cost together.</param>
    /// <remarks>
    /// Costs are taken to add up, and a gain on one text to be chance, so it counts as a loss of its size. From the model as it is, the
    /// step that saves most bytes per nat is taken, again and again, while it fits the budget. <see cref="QuantizationChoice.MeasuredNats"/>
    /// is not set; <see cref="QuantizationStudy.Measure"/> finds it.
    /// </remarks>
    public QuantizationChoice Recommend(double budget)
    {
        Step[] now = [.. Tensors.Select((tensor, i) => new Step(i, tensor.Tensor.Type, tensor.Tensor.ByteLength, 0))];
        double spent = 0;
        while (Best(now, budget - spent) is { } step)
        {
            spent += step.Cost - now[step.Tensor].Cost;
            now[step.Tensor] = step;
        }

        return new(now.ToDictionary(step => Tensors[step.Tensor].Name, step => step.Type), now.Sum(step => step.Bytes), now.Sum(step => step.Cost));
    }

    private Step? Best(Step[] now, double left)
    {
        (Step? best, double most) = (null, 0);
        for (int i = 0; i < now.Length; i++)
        {
            foreach (QuantizationCandidate candidate in Tensors[i].Candidates)
            {
                Step step = new(i, candidate.Type, candidate.Bytes, Math.Abs(candidate.NatsPerToken));
                double cost = step.Cost - now[i].Cost;
                double gain = (now[i].Bytes - step.Bytes) / Math.Max(cost, Smallest);
                if (cost <= left && gain > most)
                {
                    (best, most) = (step, gain);
                }
            }
        }

        return best;
    }

    private sealed record Step(int Tensor, ElementType Type, long Bytes, double Cost);
}
