using ILGPU;
using Mamba.Managed.ILGPU.Unrolling;

namespace Mamba.Managed.ILGPU.Kernels;

/// <content>The gradients: a warp walks through all steps of a channel of a sequence, and computes what SiLU takes again.</content>
/// <remarks>dx of a lane's last steps needs the gradient of SiLU's argument of three steps more; the lane computes these too.</remarks>
internal static partial class ConvolutionKernels
{
    /// <summary>Computes one group of channels (x) of one sequence (y).</summary>
    [Unrolled("Backward")]
    internal static void Gradients(FastConvolution work)
    {
        Segment segment = work.Segments[Grid.IdxY];
        int lane = Group.IdxX & 31, channel = (Grid.IdxX * GroupChannels) + (Group.IdxX >> 5);
        float bias = work.HasBias != 0 ? work.Bias[channel] : 0f;
        float[] weights = new float[Width], sums = new float[Width + 1];
        ReadWeights(work, channel, weights);
        for (int j = Unroll.From(0); j < Width + 1; j++)
        {
            sums[j] = 0f;
        }

        for (int step = lane * Steps; step < segment.Length; step += WarpSteps)
        {
            int at = (channel * work.Pitch) + ((segment.Start + step) >> 2), left = segment.Length - step;
            float[] x = new float[Earlier + Steps + 4], gradients = new float[Steps + 4];
            ReadEarlier(work, segment, channel, step, at, x);
            for (int q = Unroll.From(0); q < (Steps / 4) + 1; q++)
            {
                ReadExisting(work.X, at + q, left - (4 * q), x, Earlier + (4 * q));
                ReadExisting(work.OutputGradient, at + q, left - (4 * q), gradients, 4 * q);
            }

            for (int t = Unroll.From(0); t < Steps + Earlier; t++)
            {
                float sum = Sum(x, t, weights, bias);
                gradients[t] *= Elementary.SiluSlope(sum, Elementary.Sigmoid(sum));
            }

            for (int t = Unroll.From(0); t < Steps; t++)
            {
                for (int j = Unroll.From(0); j < Width; j++)
                {
                    sums[j] += gradients[t] * x[t + j];
                }

                sums[Width] += gradients[t];
            }

            for (int q = Unroll.From(0); q < Steps / 4; q++)
            {
                Float4 found = default;
                for (int i = Unroll.From(0); i < 4; i++)
                {
                    float sum = 0f;
                    for (int j = Unroll.From(0); j < Width; j++)
                    {
                        sum += weights[j] * gradients[(4 * q) + i + Earlier - j];
                    }

                    found[i] = (4 * q) + i < left ? sum : 0f;
                }

                work.InputGradient[at + q] = found;
            }
        }

        Leave(work, channel, lane, sums);
    }

    /// <summary>Adds what all sequences left for one weight or bias, in ascending order.</summary>
    internal static void AddSequences(Index1D index, FastConvolution work)
    {
        int channel = index / (work.Width + 1), j = index - (channel * (work.Width + 1));
        float sum = 0f;
        for (int number = 0; number < work.Segments.Length; number++)
        {
            sum += work.Workspace[((long)number * work.Channels * (work.Width + 1)) + index];
        }

        if (j < work.Width)
        {
            work.WeightGradient[(channel * work.Width) + j] += sum;
        }
        else if (work.HasBias != 0)
        {
            work.BiasGradient[channel] += sum;
        }
    }

    /// <summary>Reads four neighboring numbers, zeros from the last token on.</summary>
    [Inlined]
    private static void ReadExisting(ArrayView<Float4> matrix, int unit, int left, float[] to, int first)
    {
        Float4 found = default;
        if (left > 0)
        {
            found = matrix[unit];
        }

        for (int i = Unroll.From(0); i < 4; i++)
        {
            to[first + i] = i < left ? found[i] : 0f;
        }
    }

    /// <summary>Adds the lanes' sums and leaves them in the workspace.</summary>
    [Inlined]
    private static void Leave(FastConvolution work, int channel, int lane, float[] sums)
    {
        for (int j = Unroll.From(0); j < Width + 1; j++)
        {
            for (int distance = Unroll.From(1); distance < 32; distance *= 2)
            {
                sums[j] += Warp.ShuffleXor(sums[j], distance);
            }

            int tap = j - Width + work.Width;
            if (lane == 0 && tap >= 0)
            {
                work.Workspace[(((Grid.IdxY * (long)work.Channels) + channel) * (work.Width + 1)) + tap] = sums[j];
            }
        }
    }
}
