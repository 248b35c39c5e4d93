using System.Collections;

namespace Mamba.Managed.Layers;

/// <summary>Blocks one after the other, each fed what the one before gives.</summary>
/// <param name="Blocks">First to last; all of one width.</param>
public sealed record Sequential(IReadOnlyList<ResidualBlock> Blocks) : IReadOnlyList<ResidualBlock>, IParameterTree<Sequential>
{
    /// <summary>How many blocks.</summary>
    public int Count => Blocks.Count;

    /// <summary>Block <paramref name="index"/>, from 0.</summary>
    public ResidualBlock this[int index] => Blocks[index];

    /// <summary>Runs all blocks over one sequence, on the calling thread.</summary>
    /// <param name="x">[length, d_model]</param>
    /// <param name="states">[blocks]: the state of each; moved on by the vectors.</param>
    /// <param name="y">[length, d_model]; may be <paramref name="x"/> itself.</param>
    /// <exception cref="ArgumentException">The lengths do not agree, or a state has other sizes.</exception>
    public void Forward(ReadOnlySpan<float> x, ReadOnlySpan<MixerState> states, Span<float> y)
    {
        Throw.UnlessLength(Count, states.Length);
        Throw.UnlessLength(x.Length, y.Length);
        float[] input = x.ToArray(), output = new float[x.Length];
        for (int i = 0; i < Count; i++)
        {
            Blocks[i].Forward(input, states[i], output);
            (input, output) = (output, input);
        }

        input.CopyTo(y);
    }

    /// <inheritdoc/>
    public Sequential Map(string path, ParameterMap map) =>
        new([.. Blocks.Select((block, i) => block.Map(path.Below(Throw.Invariant($"{i}")), map))]);

    /// <inheritdoc/>
    public IEnumerator<ResidualBlock> GetEnumerator() => Blocks.GetEnumerator();

    /// <inheritdoc/>
    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <summary>One line: how many of what.</summary>
    public override string ToString() => Throw.Invariant($"Sequential of {Count} {(Count > 0 ? Blocks[0] : null)}");
}
