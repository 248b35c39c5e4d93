using System.Diagnostics;
using System.Runtime.CompilerServices;
using Mamba.Managed.Kernels.Simd;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Kernels;

/// <summary>The selective scan with softplus, skip term and gate fused, a vector of channels at a time; <see cref="SelectiveScanReference"/> defines it.</summary>
/// <remarks>
/// Vector lanes are channels, so the recurrence needs no exchange between lanes. Time is split into tiles: delta, delta u and the sums of a tile stay in
/// the L1 cache while the states pass over it four at a time, each kept in a register. A single row, a decode step, instead reads the states in memory
/// order, for one or two vectors of channels. The sum over the states of a row is one chain in ascending order, so the bits depend neither on tiles nor
/// on how states are grouped.
/// </remarks>
internal readonly unsafe partial struct SelectiveScan : IRangeKernel
{
    private const int TileLength = 32;
    private const int TileChannels = 64;

    /// <summary>[length, channels]: the input.</summary>
    public required float* U { get; init; }

    /// <summary>[length, channels] with a pitch of <see cref="DtPitch"/>: delta before bias and softplus.</summary>
    public required float* Dt { get; init; }

    /// <summary>Distance between rows of Dt.</summary>
    public required int DtPitch { get; init; }

    /// <summary>[channels] or null: added to <see cref="Dt"/>.</summary>
    public float* Bias { get; init; }

    /// <summary>Whether delta is the softplus of that.</summary>
    public bool Softplus { get; init; }

    /// <summary>[states, channels] as <see cref="ChannelPanels"/>: A log2(e), so that e^(delta A) is a power of two.</summary>
    public required float* Decay { get; init; }

    /// <summary>[channels] or null: max |<see cref="Decay"/>| over the states of each channel, which lets a decode step choose the faster exponential.</summary>
    public float* MaxDecay { get; init; }

    /// <summary>[length, states] with a pitch of <see cref="Pitch"/>.</summary>
    public required float* B { get; init; }

    /// <summary>[length, states] with a pitch of <see cref="Pitch"/>.</summary>
    public required float* C { get; init; }

    /// <summary>Distance between rows of B and of C.</summary>
    public required int Pitch { get; init; }

    /// <summary>[channels] or null: the skip term.</summary>
    public float* D { get; init; }

    /// <summary>[length, channels] with a pitch of <see cref="ZPitch"/>, or null: the gate.</summary>
    public float* Z { get; init; }

    /// <summary>Distance between rows of Z.</summary>
    public int ZPitch { get; init; }

    /// <summary>[states, channels] as <see cref="ChannelPanels"/>: ssm_state, h before the first row; on return, h after the last row.</summary>
    public required float* State { get; init; }

    /// <summary>The ssm_state of the next sequence to be computed, or null: a decode step prefetches it.</summary>
    public float* Next { get; init; }

    /// <summary>[length, channels]; may be <see cref="U"/> itself, or null where only the state is wanted.</summary>
    public required float* Y { get; init; }

    /// <summary>Rows.</summary>
    public required int Length { get; init; }

    /// <summary>Channels of all arrays.</summary>
    public required int Channels { get; init; }

    /// <summary>States of a channel.</summary>
    public required int States { get; init; }

    private ChannelPanels Panels => new(Channels, States);

    /// <summary>Runs the scan for the channels [start, end).</summary>
    public void Forward(int start, int end)
    {
        Debug.Assert(U is not null && Dt is not null && Decay is not null && B is not null && C is not null && State is not null, "no array");
        Debug.Assert(Length >= 0 && States >= 1 && start >= 0 && start <= end && end <= Channels, "no range");
        Debug.Assert(start % ChannelPanels.Width == 0 && (end == Channels || end % ChannelPanels.Width == 0), "a range that splits a panel of states");
        Debug.Assert(Length <= 1 || (DtPitch >= Channels && Pitch >= States && (Z is null || ZPitch >= Channels)), "rows that overlap");
        Widths.Run(this, start, end);
    }

    /// <inheritdoc/>
    [SkipLocalsInit]
    public int Run<L, V>(int start, int end)
        where L : struct, ILanes<V>
    {
        // Aligned to cache lines: otherwise half of the vectors would cross from one line into the next.
        float* room = stackalloc float[(3 * TileLength * TileChannels) + (TensorBuffer.Alignment / sizeof(float))];
        float* delta = TensorBuffer.Align(room), input = delta + (TileLength * TileChannels), sum = input + (TileLength * TileChannels);
        int c = start, width;
        for (; c + L.Count <= end; c += width)
        {
            width = Math.Min(TileChannels, (end - c) / L.Count * L.Count);
            for (int t = 0; t < Length; t += TileLength)
            {
                int rows = Math.Min(TileLength, Length - t);
                Begin<L, V>(t, rows, c, width, delta, input, sum);
                if (Length == 1)
                {
                    OneRow<L, V>(c, width, delta, input, sum);
                }
                else
                {
                    for (int i = 0; i < width; i += L.Count)
                    {
                        int at = i * TileLength;
                        AllStates<L, V>(t, rows, c + i, delta + at, input + at, sum + at);
                    }
                }

                if (Y is not null)
                {
                    Finish<L, V>(t, rows, c, width, sum);
                }
            }
        }

        return c;
    }
}
