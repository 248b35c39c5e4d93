using Mamba.Managed.Layers;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Training;

/// <summary>A parameter of a model and its counterpart in another tree: its gradient, a moment or its average.</summary>
/// <param name="Path">The path in both trees.</param>
/// <param name="Weight">The model's tensor.</param>
/// <param name="Other">The other tree's tensor.</param>
internal readonly record struct ParameterPair(string Path, Tensor Weight, Tensor Other);

/// <summary>Two trees side by side, parameter by parameter.</summary>
internal static class ParameterPairs
{
    /// <summary>Pairs the parameters of a model with those of a tree of the same paths and shapes.</summary>
    /// <param name="weights">The model's parameters.</param>
    /// <param name="others">The other tree's parameters: Float32 in writable memory.</param>
    /// <param name="argument">The argument's name for an error.</param>
    /// <exception cref="ArgumentException">A path, a shape or a type differs; the message names the first.</exception>
    public static ParameterPair[] Of(
        IReadOnlyList<KeyValuePair<string, Tensor>> weights, IReadOnlyList<KeyValuePair<string, Tensor>> others, string argument)
    {
        if (weights.Count != others.Count)
        {
            Throw.Argument(Throw.Invariant($"expected {weights.Count} parameters, as the model has, found {others.Count}; make them of the same model"), argument);
        }

        ParameterPair[] pairs = new ParameterPair[weights.Count];
        for (int i = 0; i < pairs.Length; i++)
        {
            // Trees of the same shape enumerate their parameters in the same order.
            ((string path, Tensor weight), (string found, Tensor other)) = (weights[i], others[i]);
            if (path != found || !other.HasShape(weight.Shape) || other.Type != ElementType.Float32 || other.Buffer.IsReadOnly)
            {
                Throw.Argument($"expected {path} Float32 [{string.Join(", ", weight.Shape.ToArray())}] that may be written, found {found} {other}; make them of the same model", argument);
            }

            pairs[i] = new(path, weight, other);
        }

        return pairs;
    }

    /// <summary>Pairs the parameters of two trees.</summary>
    public static ParameterPair[] Of(MambaLanguageModel model, MambaLanguageModel tree, string argument) => Of(model.Parameters(), tree.Parameters(), argument);
}
