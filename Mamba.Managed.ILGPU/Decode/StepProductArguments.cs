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

    /// <summary>What the input projection goes on to; without channels for other products.</summary>
    public StepConvolution Convolution;

    /// <summary>16-byte units from one row of the weights to the next.</summary>
    public int WeightPitch;

    /// <summary>16-byte units from one sequence's input to the next one's.</summary>
    public int InputPitch;

    /// <summary>Entries from one sequence of the target to the next.</summary>
    public int TargetPitch;

    /// <summary>Sequences from one part of the target to the next.</summary>
    public int TargetSequences;

    /// <summary>Rows of the weights.</summary>
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

    /// <summary>Takes one output of the input projection, moves conv_state on and stores what the scan or the gate gets.</summary>
    public readonly void Store(int sequence, int slot, int row, float value)
    {
        if (InBias.Length > 0)
        {
            value += InBias[row];
        }

        if (row >= Channels)
        {
            Gate[((long)sequence * Channels) + row - Channels] = value;
        }
        else
        {
            Mixed[((long)sequence * Channels) + row] = Elementary.Silu(Convolve(slot, row, value));
        }
    }

    private readonly float Convolve(int slot, int channel, float newest)
    {
        long state = (slot * StateLength) + StateOffset + channel;
        int weight = channel * Width;
        int last = Width - 1;
        float sum = newest * Weight[weight + last];
        for (int k = 0; k < last; k++)
        {
            float older = Pool[state + ((long)(k + 1) * Channels)];
            Pool[state + ((long)k * Channels)] = older;
            sum += older * Weight[weight + k];
        }

        Pool[state + ((long)last * Channels)] = newest;
        return Bias.Length > 0 ? sum + Bias[channel] : sum;
    }
}
