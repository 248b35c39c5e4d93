using ILGPU;
using ILGPU.Algorithms;
using Mamba.Managed.ILGPU.Devices;

namespace Mamba.Managed.ILGPU.Kernels;

/// <content>The definition, a channel of a sequence per work item.</content>
internal static partial class SelectiveScan
{
    /// <summary>Forward on any device, in float32.</summary>
    internal static void Plain(GpuSession session, in ScanArguments arguments) =>
        session.Plain<PlainScan>(PlainChannel)(arguments.Segments.Count * arguments.Channels, new PlainScan(arguments));

    private static void PlainChannel(Index1D index, PlainScan scan)
    {
        int number = index / scan.Channels, channel = index - (number * scan.Channels);
        Segment segment = scan.Segments[number];
        long row = ((long)channel * scan.Pitch) + segment.Start;
        long state = (segment.Slot * scan.StateLength) + scan.StateOffset + ((long)channel * scan.States);
        int padded = (segment.Length + Padding.Sequence - 1) / Padding.Sequence * Padding.Sequence;
        for (int t = 0; t < segment.Length; t++)
        {
            if (t % ScanArguments.ChunkLength == 0 && scan.ChunkStates.Length > 0)
            {
                long chunk = (segment.Start / ScanArguments.ChunkLength) + number + (t / ScanArguments.ChunkLength);
                Save(scan, state, ((chunk * scan.Channels) + channel) * scan.States);
            }

            float u = scan.U[row + t], delta = Elementary.Softplus(scan.Delta[row + t] + scan.DeltaBias[channel]), sum = scan.D[channel] * u;
            for (int n = 0; n < scan.States; n++)
            {
                long select = ((long)n * scan.Pitch) + segment.Start + t;
                float decay = XMath.Exp2(delta * scan.A2[(channel * scan.States) + n]);
                float h = (decay * scan.Pool[state + n]) + (delta * u * scan.B[select]);
                scan.Pool[state + n] = h;
                sum += h * scan.C[select];
            }

            scan.Y[row + t] = sum * Elementary.Silu(scan.Z[row + t]);
        }

        for (int t = segment.Length; t < padded; t++)
        {
            scan.Y[row + t] = 0;
        }
    }

    private static void Save(PlainScan scan, long state, long to)
    {
        for (int n = 0; n < scan.States; n++)
        {
            scan.ChunkStates[to + n] = scan.Pool[state + n];
        }
    }

    /// <summary><see cref="ScanArguments"/> as a plain kernel takes them.</summary>
    internal struct PlainScan(in ScanArguments arguments)
    {
        public ArrayView<float> U = arguments.U.Floats;
        public ArrayView<float> Delta = arguments.Delta.Floats;
        public ArrayView<float> Z = arguments.Z.Floats;
        public ArrayView<float> B = arguments.B.Floats;
        public ArrayView<float> C = arguments.C.Floats;
        public ArrayView<float> Y = arguments.Y.Data.Length > 0 ? arguments.Y.Floats : ArrayView<float>.Empty;
        public ArrayView<float> A2 = arguments.A2;
        public ArrayView<float> DeltaBias = arguments.DeltaBias;
        public ArrayView<float> D = arguments.D;
        public ArrayView<Segment> Segments = arguments.Segments.Items;
        public ArrayView<float> Pool = arguments.States.Pool;
        public ArrayView<float> ChunkStates = arguments.ChunkStates;
        public long StateLength = arguments.States.StateLength;
        public long StateOffset = arguments.States.Offset;
        public int Channels = arguments.Channels;
        public int States = arguments.StateCount;
        public int Pitch = arguments.Pitch;
    }
}
