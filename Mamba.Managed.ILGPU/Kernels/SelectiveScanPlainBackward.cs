using ILGPU;
using ILGPU.Algorithms;
using Mamba.Managed.ILGPU.Devices;

namespace Mamba.Managed.ILGPU.Kernels;

/// <content>The gradients by their definition, a channel of a sequence per work item.</content>
/// <remarks>
/// With the sum before the gate written s, and g the gradient of a state from its own token and all later ones:
/// <code>
/// ds[t, c]     = dy[t, c] silu(z[t, c])                    dz[t, c] = dy[t, c] s[t, c] silu'(z[t, c])
/// g[t, c, n]   = ds[t, c] C[t, n] + exp(delta[t+1, c] A[c, n]) g[t+1, c, n]
/// dC[t, n]    += ds[t, c] h[t, c, n]                       dB[t, n] += g[t, c, n] delta[t, c] u[t, c]
/// ddelta[t, c] = sum over n of g (h[t-1] A exp(delta A) + B u)
/// dA[c, n]    += g h[t-1] delta exp(delta A)               du[t, c] = sum over n of g delta B + ds D
/// </code>
/// Gradients of B and C are sums over channels: a work item leaves its terms in the workspace, and a second kernel adds them in ascending order.
/// </remarks>
internal static partial class SelectiveScan
{
    /// <summary>Channels of one launch of the plain form, and so the terms of B and C for which there must be room at a time.</summary>
    private const int PlainChannels = 64;

    /// <summary>Channels of a group of the fast form, which adds up their terms of B and C.</summary>
    private const int GroupChannels = 16;

    /// <summary>Numbers of scratch memory that the backward pass needs.</summary>
    public static long BackwardWorkspace(int channels, int states, int pitch, int sequences) =>
        ((long)sequences * channels * ((2 * states) + 2)) + (2L * Math.Max(PlainChannels, channels / GroupChannels) * states * pitch);

    /// <summary>Backward on any device.</summary>
    internal static void PlainBackward(GpuSession session, in ScanArguments arguments, in ScanGradients gradients)
    {
        int sequences = arguments.Segments.Count;
        PlainScanGradients work = new(arguments, gradients);
        for (int first = 0; first < arguments.Channels; first += PlainChannels)
        {
            work.FirstChannel = first;
            work.LaunchChannels = Math.Min(PlainChannels, arguments.Channels - first);
            session.Plain<PlainScanGradients>(PlainChannelGradients)(sequences * work.LaunchChannels, work);
            session.Plain<PlainScanGradients>(PlainSelectionSums)(sequences * 2 * arguments.StateCount, work);
        }

        session.Plain<PlainScanGradients>(ParameterSums)(arguments.Channels * (arguments.StateCount + 2), work);
    }

    private static void PlainChannelGradients(Index1D index, PlainScanGradients work)
    {
        PlainScan scan = work.Scan;
        int number = index / work.LaunchChannels, launched = index - (number * work.LaunchChannels), channel = work.FirstChannel + launched;
        Segment segment = scan.Segments[number];
        Recompute(work, number, channel, launched);
        long row = ((long)channel * scan.Pitch) + segment.Start, item = ((long)number * scan.Channels) + channel, first = FirstState(scan, number, channel);
        long carry = work.Carries + (item * scan.States), sums = item * (scan.States + 2);
        long last = (segment.Slot * work.StateLength) + work.StateOffset + ((long)channel * scan.States);
        for (int n = 0; n < scan.States; n++)
        {
            work.Workspace[carry + n] = work.StateGradients.Length > 0 ? work.StateGradients[last + n] : 0f;
            work.Workspace[sums + n] = 0;
        }

        float biasSum = 0, skipSum = 0;
        for (int t = segment.Length - 1; t >= 0; t--)
        {
            float u = scan.U[row + t], before = scan.Delta[row + t] + scan.DeltaBias[channel], delta = Elementary.Softplus(before);
            float z = scan.Z[row + t], sigmoid = Elementary.Sigmoid(z), dy = work.OutputGradient[row + t], ds = dy * z * sigmoid;
            float sum = scan.D[channel] * u, du = ds * scan.D[channel], ddelta = 0;
            for (int n = 0; n < scan.States; n++)
            {
                long select = ((long)n * scan.Pitch) + segment.Start + t, ofB = work.Terms(launched, n, segment.Start + t), ofC = ofB + ((long)scan.States * scan.Pitch);
                float a2 = scan.A2[(channel * scan.States) + n], decay = XMath.Exp2(delta * a2), b = scan.B[select], c = scan.C[select];
                float h = work.Workspace[ofC], decayed = decay * (t > 0 ? work.Workspace[ofC - 1] : scan.ChunkStates[first + n]);
                float g = work.Workspace[carry + n] + (ds * c);
                sum += h * c;
                du += g * delta * b;
                ddelta += g * ((decayed * a2 * Elementary.Ln2) + (b * u));
                work.Workspace[sums + n] += g * decayed * delta * a2 * Elementary.Ln2;
                work.Workspace[carry + n] = g * decay;
                work.Workspace[ofB] = g * delta * u;
                work.Workspace[ofC] = ds * h;
            }

            ddelta *= Elementary.Sigmoid(before);
            biasSum += ddelta;
            skipSum += ds * u;
            work.InputGradient[row + t] = du;
            work.DeltaGradient[row + t] = ddelta;
            work.GateGradient[row + t] = dy * sum * Elementary.SiluSlope(z, sigmoid);
        }

        work.Workspace[sums + scan.States] = biasSum;
        work.Workspace[sums + scan.States + 1] = skipSum;
        for (int n = 0; n < scan.States && work.StateGradients.Length > 0; n++)
        {
            work.StateGradients[last + n] = work.Workspace[carry + n];
        }

        for (int t = segment.Length; t % Padding.Sequence != 0; t++)
        {
            work.InputGradient[row + t] = 0;
            work.DeltaGradient[row + t] = 0;
            work.GateGradient[row + t] = 0;
        }
    }

    // Leaves every h of a channel where its term of C will lie.
    private static void Recompute(PlainScanGradients work, int number, int channel, int launched)
    {
        PlainScan scan = work.Scan;
        Segment segment = scan.Segments[number];
        long row = ((long)channel * scan.Pitch) + segment.Start, first = FirstState(scan, number, channel);
        for (int n = 0; n < scan.States; n++)
        {
            float h = scan.ChunkStates[first + n];
            for (int t = 0; t < segment.Length; t++)
            {
                float delta = Elementary.Softplus(scan.Delta[row + t] + scan.DeltaBias[channel]);
                float decay = XMath.Exp2(delta * scan.A2[(channel * scan.States) + n]);
                h = (decay * h) + (delta * scan.U[row + t] * scan.B[((long)n * scan.Pitch) + segment.Start + t]);
                work.Workspace[work.Terms(launched, n, segment.Start + t) + ((long)scan.States * scan.Pitch)] = h;
            }
        }
    }

    private static long FirstState(PlainScan scan, int number, int channel) =>
        ((((scan.Segments[number].Start / ScanArguments.ChunkLength) + number) * (long)scan.Channels) + channel) * scan.States;

    private static void PlainSelectionSums(Index1D index, PlainScanGradients work)
    {
        PlainScan scan = work.Scan;
        int number = index / (2 * scan.States), n = index - (number * 2 * scan.States);
        Segment segment = scan.Segments[number];
        ArrayView<float> gradient = n < scan.States ? work.BGradient : work.CGradient;
        long row = ((long)(n < scan.States ? n : n - scan.States) * scan.Pitch) + segment.Start;
        for (int t = 0; t < segment.Length; t++)
        {
            float sum = work.FirstChannel == 0 ? 0f : gradient[row + t];
            for (int launched = 0; launched < work.LaunchChannels; launched++)
            {
                sum += work.Workspace[work.Terms(launched, n, segment.Start + t)];
            }

            gradient[row + t] = sum;
        }

        for (int t = segment.Length; t % Padding.Sequence != 0; t++)
        {
            gradient[row + t] = 0;
        }
    }

    // Adds the sequences' sums of A_log, bias and D in ascending order.
    private static void ParameterSums(Index1D index, PlainScanGradients work)
    {
        int states = work.Scan.States, channel = index / (states + 2), n = index - (channel * (states + 2));
        float sum = 0;
        for (int number = 0; number < work.Scan.Segments.Length; number++)
        {
            sum += work.Workspace[((((long)number * work.Scan.Channels) + channel) * (states + 2)) + n];
        }

        if (n < states)
        {
            work.ALogGradient[(channel * states) + n] += sum;
        }
        else if (n == states)
        {
            work.BiasGradient[channel] += sum;
        }
        else
        {
            work.SkipGradient[channel] += sum;
        }
    }

    /// <summary><see cref="ScanArguments"/> and <see cref="ScanGradients"/> as a plain kernel takes them.</summary>
    /// <remarks>The workspace holds [sequences, channels, states + 2] sums of A_log, bias and D, then [sequences, channels, states] carries, then terms.</remarks>
    internal struct PlainScanGradients(in ScanArguments arguments, in ScanGradients gradients)
    {
        public PlainScan Scan = new(arguments);
        public ArrayView<float> OutputGradient = gradients.Y.Floats;
        public ArrayView<float> InputGradient = gradients.U.Floats;
        public ArrayView<float> DeltaGradient = gradients.Delta.Floats;
        public ArrayView<float> GateGradient = gradients.Z.Floats;
        public ArrayView<float> BGradient = gradients.B.Floats;
        public ArrayView<float> CGradient = gradients.C.Floats;
        public ArrayView<float> ALogGradient = gradients.ALog;
        public ArrayView<float> BiasGradient = gradients.DeltaBias;
        public ArrayView<float> SkipGradient = gradients.D;
        public ArrayView<float> StateGradients = gradients.States.Pool;
        public ArrayView<float> Workspace = gradients.Workspace;
        public long StateLength = gradients.States.StateLength;
        public long StateOffset = gradients.States.Offset;
        public long Carries = (long)arguments.Segments.Count * arguments.Channels * (arguments.StateCount + 2);
        public int FirstChannel;
        public int LaunchChannels;

        /// <summary>Where a channel of this launch leaves its term of B (state n) or C (states + n) at a column.</summary>
        public readonly long Terms(int launched, int n, int column) =>
            Carries + ((long)Scan.Segments.Length * Scan.Channels * Scan.States) + ((((long)launched * 2 * Scan.States) + n) * Scan.Pitch) + column;
    }
}
