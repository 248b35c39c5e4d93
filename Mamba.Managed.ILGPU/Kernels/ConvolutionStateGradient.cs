using ILGPU;
using Mamba.Managed.ILGPU.Devices;

namespace Mamba.Managed.ILGPU.Kernels;

/// <summary>Gradients through conv_state: what the last one's adds to those of the inputs, and those of the first one.</summary>
/// <remarks>A state holds the last inputs, so its gradient is theirs; the first outputs of a sequence depend on the state before it.</remarks>
internal static class ConvolutionStateGradient
{
    /// <summary>After <see cref="CausalConvolution.Backward"/>: one work item a sequence and channel.</summary>
    /// <param name="session">Where it runs; the call returns before the work is done.</param>
    /// <param name="arguments">Those of the backward pass.</param>
    /// <param name="gradients">Those of the backward pass: Y is read, X added to.</param>
    /// <param name="states">The gradient of each sequence's last state; on return, of its first.</param>
    public static void Run(GpuSession session, in ConvolutionArguments arguments, in ConvolutionGradients gradients, StateSlots states)
    {
        arguments.Check();
        gradients.Check(arguments);
        session.Plain<Arguments>(Channel)(arguments.Segments.Count * arguments.Channels, new()
        {
            X = arguments.X.Floats,
            Weight = arguments.Weight,
            HasBias = arguments.Bias.Length > 0 ? 1 : 0,
            Bias = arguments.Bias.Length > 0 ? arguments.Bias : arguments.Weight,
            HasStates = arguments.States.Exist ? 1 : 0,
            States = arguments.States.Exist ? arguments.States.Pool : states.Pool,
            Segments = arguments.Segments.Items,
            OutputGradient = gradients.Y.Floats,
            InputGradient = gradients.X.Floats,
            StateGradients = states.Pool,
            StateLength = states.StateLength,
            Offset = states.Offset,
            Channels = arguments.Channels,
            Pitch = arguments.Pitch,
            Width = arguments.Width,
        });
    }

    private static void Channel(Index1D index, Arguments p)
    {
        int number = index / p.Channels, channel = index - (number * p.Channels);
        Segment segment = p.Segments[number];
        long row = ((long)channel * p.Pitch) + segment.Start;
        for (int t = IntrinsicMath.Max(0, segment.Length - p.Width); t < segment.Length; t++)
        {
            p.InputGradient[row + t] += p.StateGradients[p.State(segment, channel, t - segment.Length + p.Width)];
        }

        // Downwards, since an entry that is passed on lies below the one that receives it.
        for (int i = p.Width - 1; i >= 0; i--)
        {
            float sum = i >= segment.Length ? p.StateGradients[p.State(segment, channel, i - segment.Length)] : 0;
            for (int t = 0; t < i && t < segment.Length; t++)
            {
                float value = p.HasBias != 0 ? p.Bias[channel] : 0;
                for (int j = 0; j < p.Width; j++)
                {
                    value += p.Weight[(channel * p.Width) + j] * p.Input(segment, channel, row, t - p.Width + 1 + j);
                }

                float slope = Elementary.SiluSlope(value, Elementary.Sigmoid(value));
                sum += p.OutputGradient[row + t] * slope * p.Weight[(channel * p.Width) + i - t - 1];
            }

            p.StateGradients[p.State(segment, channel, i)] = sum;
        }
    }

    internal struct Arguments
    {
        public ArrayView<float> X;
        public ArrayView<float> Weight;
        public ArrayView<float> Bias;
        public ArrayView<float> States;
        public ArrayView<Segment> Segments;
        public ArrayView<float> OutputGradient;
        public ArrayView<float> InputGradient;
        public ArrayView<float> StateGradients;
        public long StateLength;
        public long Offset;
        public int HasBias;
        public int HasStates;
        public int Channels;
        public int Pitch;
        public int Width;

        /// <summary>Where the j-th oldest input of a channel lies in a pool.</summary>
        public readonly long State(Segment segment, int channel, int j) => (segment.Slot * StateLength) + Offset + ((long)j * Channels) + channel;

        /// <summary>x[t]; before the first token, from the state.</summary>
        public readonly float Input(Segment segment, int channel, long row, int t) =>
            t >= 0 ? X[row + t] : HasStates != 0 ? States[State(segment, channel, Width + t)] : 0;
    }
}
