using System.Collections;
using CommunityToolkit.HighPerformance;
using CommunityToolkit.HighPerformance.Buffers;
using Mamba.Managed.Kernels;

namespace Mamba.Managed.Layers;

/// <summary>Blocks one after the other: the output of each is the input of the next.</summary>
public sealed record Sequential : IReadOnlyList<ResidualBlock>, IParameterTree<Sequential>
{
    /// <summary>Makes a sequence of blocks.</summary>
    /// <param name="blocks">First to last, at least one; all of one width. The list is copied.</param>
    /// <exception cref="ArgumentException">There are none, or they are of different widths.</exception>
    public Sequential(IReadOnlyList<ResidualBlock> blocks)
    {
        Blocks = blocks;
        Validate("");
    }

    /// <summary>First to last; all of one width.</summary>
    public IReadOnlyList<ResidualBlock> Blocks
    {
        get;
        init
        {
            ArgumentNullException.ThrowIfNull(value);

            // A private copy cannot change between check and use.
            field = Array.AsReadOnly([.. value.Select(block => ShapeCheck.Present(block))]);
        }
    }

    /// <summary>How many blocks.</summary>
    public int Count => Blocks.Count;

    /// <summary>Block <paramref name="index"/>, from 0.</summary>
    public ResidualBlock this[int index] => Blocks[index];

    /// <summary>Runs all blocks over one sequence, on the calling thread.</summary>
    /// <param name="x">[length, d_model]</param>
    /// <param name="states">[blocks]: the state of each; advanced by the vectors.</param>
    /// <param name="y">[length, d_model]; may be <paramref name="x"/> itself.</param>
    /// <exception cref="ArgumentException">The shapes do not agree, or a state has other sizes.</exception>
    public void Forward(ReadOnlySpan2D<float> x, ReadOnlySpan<MixerState> states, Span2D<float> y)
    {
        Validate("");
        int width = Blocks[0].Mixer.DModel;
        RequireStates(states, nameof(states));
        SpanRows.Require(x, x.Height, width);
        SpanRows.Require(y, x.Height, width);
        using MixerStateCopies before = new(states);
        try
        {
            Run(x, states, y);
        }
        catch
        {
            before.Restore();
            throw;
        }
    }

    /// <inheritdoc/>
    public Sequential Map(string path, ParameterMap map)
    {
        Sequential mapped = MapDescribed(path, map.Described());
        mapped.Validate(path);
        return mapped;
    }

    /// <inheritdoc/>
    public IEnumerator<ResidualBlock> GetEnumerator() => Blocks.GetEnumerator();

    /// <inheritdoc/>
    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <summary>One line: how many of what.</summary>
    public override string ToString() => Throw.Invariant($"Sequential of {Count} {(Count == 0 ? "" : Blocks[0])}");

    internal Sequential MapDescribed(string path, DescribedMap map) => this with
    {
        Blocks = [.. Blocks.Select((block, i) => block.MapDescribed(path.Below(Throw.Invariant($"{i}")), map))],
    };

    internal void Validate(string path)
    {
        if (Count == 0)
        {
            Throw.Argument("expected at least one block, found none", null);
        }

        for (int i = 0; i < Count; i++)
        {
            string at = path.Below(Throw.Invariant($"{i}"));
            Blocks[i].Validate(at);
            if (Blocks[i].Mixer.DModel != Blocks[0].Mixer.DModel)
            {
                Throw.Argument(Throw.Invariant($"{at}: expected a block of width {Blocks[0].Mixer.DModel}, as the first, found {Blocks[i].Mixer.DModel}"), null);
            }
        }
    }

    /// <summary>Throws unless there is a state of the right sizes for each block: all are checked before any is advanced.</summary>
    internal void RequireStates(ReadOnlySpan<MixerState> states, string argument)
    {
        Throw.UnlessLength(Count, states.Length, argument);
        for (int i = 0; i < Count; i++)
        {
            Blocks[i].Mixer.RequireState(states[i], argument);
        }
    }

    /// <summary>Runs the blocks; if one throws, the states of those before it have been advanced, and the caller restores them.</summary>
    internal void Run(ReadOnlySpan2D<float> x, ReadOnlySpan<MixerState> states, Span2D<float> y)
    {
        int width = Blocks[0].Mixer.DModel;
        int chunk = Math.Min(SpanRows.ChunkOf(width), x.Height);
        using SpanOwner<float> room = SpanOwner<float>.Allocate(2 * chunk * width);
        for (int row = 0; row < x.Height; row += chunk)
        {
            int rows = Math.Min(chunk, x.Height - row);
            Span2D<float> input = room.Span.AsSpan2D(2 * chunk, width)[..rows, ..], output = room.Span.AsSpan2D(2 * chunk, width)[chunk..(chunk + rows), ..];
            x[row..(row + rows), ..].CopyTo(input);
            for (int i = 0; i < Count; i++)
            {
                Blocks[i].Forward(input, states[i], output);
                Span2D<float> next = output;
                output = input;
                input = next;
            }

            input.CopyTo(y[row..(row + rows), ..]);
        }
    }
}
