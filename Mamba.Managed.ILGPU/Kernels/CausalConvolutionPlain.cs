using ILGPU;
using Mamba.Managed.ILGPU.Devices;

namespace Mamba.Managed.ILGPU.Kernels;

/// <content>The definition and its gradients, a channel per work item.</content>
internal static partial class CausalConvolution
{
    /// <summary>Forward on any device, in float32.</summary>
    internal static void Plain(GpuSession session, in ConvolutionArguments arguments) =>
        session.Plain<PlainConvolution>(PlainChannel)(arguments.Segments.Count * arguments.Channels, new PlainConvolution(arguments));

    /// <summary>Backward on any device.</summary>
    internal static void PlainBackward(GpuSession session, in ConvolutionArguments arguments, in ConvolutionGradients gradients)
    {
        PlainConvolution convolution = new(arguments)
        {
            OutputGradient = gradients.Y.Floats,
            InputGradient = gradients.X.Floats,
            WeightGradient = gradients.Weight,
            BiasGradient = gradients.Bias,
        };
        session.Plain<PlainConvolution>(PlainChannelGradients)(arguments.Channels, convolution);
    }

    private static void PlainChannel(Index1D index, PlainConvolution convolution)
    {
        int number = index / convolution.Channels, channel = index - (number * convolution.Channels), width = convolution.Width;
        Segment segment = convolution.Segments[number];
        long row = ((long)channel * convolution.Pitch) + segment.Start;
        for (int t = 0; t < segment.Length; t++)
        {
            convolution.Y[row + t] = Elementary.Silu(convolution.Sum(segment, channel, t));
        }

        for (int t = segment.Length; t % Padding.Sequence != 0; t++)
        {
            convolution.Y[row + t] = 0;
        }

        for (int j = 0; j < width && segment.Length > 0; j++)
        {
            convolution.Pool[convolution.State(segment, channel, j)] = convolution.Input(segment, channel, segment.Length - width + j);
        }
    }

    private static void PlainChannelGradients(Index1D index, PlainConvolution convolution)
    {
        int channel = index, width = convolution.Width;
        for (int number = 0; number < convolution.Segments.Length; number++)
        {
            Segment segment = convolution.Segments[number];
            long row = ((long)channel * convolution.Pitch) + segment.Start;
            for (int t = 0; t < (segment.Length + Padding.Sequence - 1) / Padding.Sequence * Padding.Sequence; t++)
            {
                convolution.InputGradient[row + t] = 0;
            }

            for (int t = 0; t < segment.Length; t++)
            {
                float sum = convolution.Sum(segment, channel, t);
                float gradient = convolution.OutputGradient[row + t] * Elementary.SiluSlope(sum, Elementary.Sigmoid(sum));
                for (int j = 0; j < width; j++)
                {
                    int from = t - width + 1 + j;
                    convolution.WeightGradient[(channel * width) + j] += gradient * convolution.Input(segment, channel, from);
                    if (from >= 0)
                    {
                        convolution.InputGradient[row + from] += gradient * convolution.Weight[(channel * width) + j];
                    }
                }

                if (convolution.HasBias != 0)
                {
                    convolution.BiasGradient[channel] += gradient;
                }
            }
        }
    }

    /// <summary><see cref="ConvolutionArguments"/> and <see cref="ConvolutionGradients"/> as a plain kernel takes them.</summary>
    internal struct PlainConvolution(in ConvolutionArguments arguments)
    {
        public ArrayView<float> X = arguments.X.Floats;
        public ArrayView<float> Weight = arguments.Weight;
        public ArrayView<float> Bias = arguments.Bias;
        public ArrayView<Segment> Segments = arguments.Segments.Items;
        public ArrayView<float> Pool = arguments.States.Pool;
        public ArrayView<float> Y = arguments.Y.Data.Length > 0 ? arguments.Y.Floats : ArrayView<float>.Empty;
        public ArrayView<float> OutputGradient;
        public ArrayView<float> InputGradient;
        public ArrayView<float> WeightGradient;
        public ArrayView<float> BiasGradient;
        public long StateLength = arguments.States.StateLength;
        public long StateOffset = arguments.States.Offset;
        public int HasStates = arguments.States.Exist ? 1 : 0;
        public int HasBias = arguments.Bias.Length > 0 ? 1 : 0;
        public int Channels = arguments.Channels;
        public int Pitch = arguments.Pitch;
        public int Width = arguments.Width;

        /// <summary>Where the j-th oldest input of a channel lies in the pool.</summary>
        public readonly long State(Segment segment, int channel, int j) => (segment.Slot * StateLength) + StateOffset + ((long)j * Channels) + channel;

        /// <summary>x[t]; before the first token, from the state.</summary>
        public readonly float Input(Segment segment, int channel, int t)
        {
            if (t >= 0)
            {
                return X[((long)channel * Pitch) + segment.Start + t];
            }

            return HasStates != 0 ? Pool[State(segment, channel, Width + t)] : 0f;
        }

        /// <summary>What SiLU takes.</summary>
        public readonly float Sum(Segment segment, int channel, int t)
        {
            float sum = HasBias != 0 ? Bias[channel] : 0f;
            for (int j = 0; j < Width; j++)
            {
                sum += Weight[(channel * Width) + j] * Input(segment, channel, t - Width + 1 + j);
            }

            return sum;
        }
    }
}
