using Mamba.Managed.Layers;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Execution;

/// <summary>Gives a model's memory back part by part; a file may let several parts share memory, which goes with the last of them.</summary>
internal sealed class WeightRelease
{
    private readonly Dictionary<TensorBuffer, int> users = new(ReferenceEqualityComparer.Instance);

    /// <summary>Counts what uses each buffer.</summary>
    public WeightRelease(MambaLanguageModel model)
    {
        Count(model.Vocabulary);
        Count(model.NormF);
        foreach (ResidualBlock block in model.Layers)
        {
            Count(block);
        }
    }

    /// <summary>Says that a part has been taken over.</summary>
    public void Done<T>(IParameterTree<T> part)
    {
        lock (users)
        {
            foreach ((_, Tensor weight) in part.Parameters())
            {
                if (--users[weight.Buffer] == 0)
                {
                    weight.Buffer.Dispose();
                }
            }
        }
    }

    private void Count<T>(IParameterTree<T> part)
    {
        foreach ((_, Tensor weight) in part.Parameters())
        {
            users[weight.Buffer] = users.GetValueOrDefault(weight.Buffer) + 1;
        }
    }
}
