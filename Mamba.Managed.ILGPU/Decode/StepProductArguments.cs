using ILGPU;
using Mamba.Managed.ILGPU.Kernels;

namespace Mamba.Managed.ILGPU.Decode;

/// <summary>What a product of a step reads and writes: target[part, sequence, row] = weights[row, inputs of the part] . input[sequence, the same inputs].</summary>
internal struct StepProductArguments
{
    /// <summary>[rows, inputs], 16 bytes at a time.</summary>
    public ArrayView<Float4> Weights;

    /// <summary>[sequences, inputs] in float32; as many sequences as whole tiles have.</summary>
    public ArrayView<Float4> Input;

    /// <summary>[parts, sequences, rows]: sums over a part of the inputs each. The input projection has none.</summary>
    public ArrayView<float> Target;

    /// <summary>[sequences]: negative for a sequence that is not there, of which nothing is written.</summary>
    public ArrayView<int> Slots;

    /// <summary>What the input projection goes on to; other products have none.</summary>
    public StepConvolution Convolution;

    /// <summary>16-byte units from one row of the weights to the next.</summary>
    public int WeightPitch;

    /// <summary>16-byte units from one sequence's input to the next one's.</summary>
    public int InputPitch;

    /// <summary>Entries from one sequence of the target to the next.</summary>
    public int TargetPitch;

    /// <summary>Sequences from one part of the target to the next.</summary>
    public int TargetSequences;

    /// <summary>Rows of the weights, a multiple of 16.</summary>
    public int Rows;

    /// <summary>Sequences, those that are not there included.</summary>
    public int Sequences;

    /// <summary>Chunks of 64 bytes in a row of the weights.</summary>
    public int Chunks;

    /// <summary>Chunks of a part; the grid's second dimension counts parts.</summary>
    public int PartChunks;
}

/// <summary>What the input projection goes on to: bias, convolution and SiLU of the scan's half.</summary>
internal struct StepConvolution
{
    /// <summary>Inputs before the newest that a thread has in registers; published models have no more.</summary>
    public const int Recent = 3;

    /// <summary>[2 * channels], or empty.</summary>
    public ArrayView<float> InBias;

    /// <summary>[channels, d_conv]</summary>
    public ArrayView<float> Weight;

    /// <summary>[channels], or empty.</summary>
    public ArrayView<float> Bias;

    /// <summary>The states of all sequences.</summary>
    public ArrayView<float> Pool;

    /// <summary>[sequences, channels]: the scan's input.</summary>
    public ArrayView<float> Mixed;

    /// <summary>[sequences, channels]: the gate, before SiLU.</summary>
    public ArrayView<float> Gate;

    /// <summary>Numbers of a sequence's state.</summary>
    public long StateLength;

    /// <summary>Where the layer's conv_state [d_conv, channels] begins in it.</summary>
    public long StateOffset;

    /// <summary>Channels.</summary>
    public int Channels;

    /// <summary>d_conv</summary>
    public int Width;

    /// <summary>Where a channel's convolution state begins, of a slot.</summary>
    public readonly long Place(int slot, int channel) => (slot * StateLength) + StateOffset + channel;

    /// <summary>A channel's input some tokens ago, at most <see cref="Recent"/>; 0 if that is beyond the convolution.</summary>
    public readonly float Before(long place, int tokens) => tokens < Width ? Pool[place + ((long)(Width - tokens) * Channels)] : 0f;

    /// <summary>The weight of a channel's input some tokens ago; 0 if that is beyond the convolution.</summary>
    public readonly float Tap(int channel, int tokens) => tokens < Width ? Weight[(channel * Width) + Width - 1 - tokens] : 0f;

    /// <summary>Moves a channel's input some tokens ago on by one token.</summary>
    public readonly void Keep(long place, int tokens, float value)
    {
        if (tokens < Width)
        {
            Pool[place + ((long)(Width - 1 - tokens) * Channels)] = value;
        }
    }

    /// <summary>Moves the inputs on that are older than <see cref="Recent"/> tokens; their share of the convolution.</summary>
    public readonly float MoveOlder(long place, int channel)
    {
        float sum = 0;
        for (int tokens = Width - 1; tokens > Recent; tokens--)
        {
            float value = Before(place, tokens);
            Keep(place, tokens, value);
            sum += value * Tap(channel, tokens);
        }

        return sum;
    }
}
