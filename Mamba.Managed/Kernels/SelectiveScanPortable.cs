using System.Numerics.Tensors;
using Mamba.Managed.Threading;

namespace Mamba.Managed.Kernels;

/// <summary>The selective scan in <see cref="TensorPrimitives"/>, parallel over channels: portable, readable, and the middle way between definition and fused kernel.</summary>
/// <remarks>
/// One row at a time, one state at a time, every operation over a block of neighboring channels. Formula and shapes are those of
/// <see cref="SelectiveScanReference"/>. Blocks have a fixed size, so the result does not depend on the number of threads.
/// </remarks>
internal static class SelectiveScanPortable
{
    private const int BlockLength = 256;

    /// <summary>Runs the scan over one sequence.</summary>
    /// <param name="arguments">The inputs, with the state before the first row.</param>
    /// <param name="lastState">[channels, states]: receives the state after the last row.</param>
    /// <param name="threads">Threads that compute; 0 for one per processor.</param>
    /// <returns>[length, channels]: y.</returns>
    /// <exception cref="ArgumentException">A length contradicts the others.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A negative number of threads.</exception>
    public static float[] Forward(SelectiveScanArguments<float> arguments, float[] lastState, int threads = 0)
    {
        ArgumentNullException.ThrowIfNull(arguments);
        ArgumentNullException.ThrowIfNull(lastState);
        ArgumentOutOfRangeException.ThrowIfNegative(threads);
        arguments.Check();
        Throw.UnlessLength(arguments.State.Length, lastState.Length);
        float[] y = new float[arguments.U.Length];
        int blocks = (arguments.Channels + BlockLength - 1) / BlockLength;
        ParallelLoop.For(blocks, threads == 0 ? Environment.ProcessorCount : threads, block =>
        {
            int start = block * BlockLength;
            new Block(arguments, start, Math.Min(BlockLength, arguments.Channels - start)).Run(y, lastState);
        });
        return y;
    }

    /// <summary>Neighboring channels, and the rows of memory that one time step of them needs.</summary>
    private sealed class Block(SelectiveScanArguments<float> arguments, int start, int width)
    {
        private readonly float[] delta = new float[width];
        private readonly float[] input = new float[width];
        private readonly float[] scratch = new float[width];
        private readonly float[] a = Gather(arguments.A, arguments.States, start, width);
        private readonly float[] h = Gather(arguments.State, arguments.States, start, width);

        public void Run(float[] y, float[] lastState)
        {
            int states = arguments.States;
            for (int t = 0; t * arguments.Channels < arguments.U.Length; t++)
            {
                int row = (t * arguments.Channels) + start;
                Span<float> sum = y.AsSpan(row, width);
                Begin(row, sum);
                for (int n = 0; n < states; n++)
                {
                    Span<float> state = h.AsSpan(n * width, width);
                    TensorPrimitives.Multiply(delta, a.AsSpan(n * width, width), scratch);
                    TensorPrimitives.Exp<float>(scratch, scratch);
                    TensorPrimitives.Multiply(scratch, state, state);
                    TensorPrimitives.MultiplyAdd(input, arguments.B[(t * states) + n], state, state);
                    TensorPrimitives.MultiplyAdd(state, arguments.C[(t * states) + n], sum, sum);
                }

                Gate(row, sum);
            }

            for (int i = 0; i < h.Length; i++)
            {
                lastState[((start + (i % width)) * states) + (i / width)] = h[i];
            }
        }

        private void Begin(int row, Span<float> sum)
        {
            ReadOnlySpan<float> u = arguments.U.AsSpan(row, width);
            arguments.Dt.AsSpan(row, width).CopyTo(delta);
            if (arguments.Bias.Length > 0)
            {
                TensorPrimitives.Add(delta, arguments.Bias.AsSpan(start, width), delta);
            }

            if (arguments.Softplus)
            {
                // log(1 + e^x) = max(x, 0) + log(1 + e^-|x|), which cannot overflow.
                TensorPrimitives.Abs<float>(delta, scratch);
                TensorPrimitives.Negate<float>(scratch, scratch);
                TensorPrimitives.Exp<float>(scratch, scratch);
                TensorPrimitives.LogP1<float>(scratch, scratch);
                TensorPrimitives.Max(delta, 0f, delta);
                TensorPrimitives.Add(delta, scratch, delta);
            }

            TensorPrimitives.Multiply(delta, u, input);
            if (arguments.D.Length > 0)
            {
                TensorPrimitives.Multiply(arguments.D.AsSpan(start, width), u, sum);
            }
            else
            {
                sum.Clear();
            }
        }

        private void Gate(int row, Span<float> sum)
        {
            if (arguments.Z.Length > 0)
            {
                ReadOnlySpan<float> z = arguments.Z.AsSpan(row, width);
                TensorPrimitives.Sigmoid(z, scratch);
                TensorPrimitives.Multiply(scratch, z, scratch);
                TensorPrimitives.Multiply(sum, scratch, sum);
            }
        }

        // [channels, states] to [states, width], so that an operation runs over neighbors.
        private static float[] Gather(float[] values, int states, int start, int width)
        {
            float[] gathered = new float[states * width];
            for (int i = 0; i < gathered.Length; i++)
            {
                gathered[i] = values[((start + (i % width)) * states) + (i / width)];
            }

            return gathered;
        }
    }
}
