using ILGPU;
using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;
using Mamba.Managed.ILGPU.Kernels;
using Mamba.Managed.ILGPU.Unrolling;

namespace Mamba.Managed.ILGPU.Decode;

#pragma warning disable CS0162 // Unreachable code: variants of the template set its constants.

/// <summary>What a layer reads besides its large products is brought into the device's cache while the layer before runs.</summary>
internal static partial class PersistentKernel
{
    private const int LineBytes = 128;

    /// <summary>Asks for a layer's small arrays and states. The last threads do: the first ones have more to do otherwise.</summary>
    [Inlined]
    private static void Prefetch(PersistentArguments arguments, GroupShare share, ArrayView<long> here, int layer)
    {
        if (!Emulated)
        {
            int thread = Group.DimX - 1 - Group.IdxX;
            int entryBytes = BFloat16 ? 2 : 4;
            if (thread < arguments.Projections)
            {
                long row = Address(arguments, here[(int)LayerArray.XProj]) + ((long)thread * arguments.ChannelPitch * 16) + ((long)share.FirstChannel * entryBytes);
                PrefetchRange(row, share.Channels * entryBytes);
            }

            if (thread < share.Channels)
            {
                int channel = share.FirstChannel + thread;
                PrefetchRange(Address(arguments, here[(int)LayerArray.DtProj]) + ((long)channel * arguments.RankPitch * 16), arguments.Rank * entryBytes);
                PrefetchRange(Address(arguments, here[(int)LayerArray.A2]) + ((long)channel * arguments.States * 4), arguments.States * 4);
                PrefetchState(arguments, layer, channel);
                Ptx.Prefetch(Address(arguments, here[(int)LayerArray.ConvWeight]) + ((long)channel * arguments.Width * 4));
                Ptx.Prefetch(Address(arguments, here[(int)LayerArray.DtBias]) + (channel * 4L));
                Ptx.Prefetch(Address(arguments, here[(int)LayerArray.D]) + (channel * 4L));
                if (here[(int)LayerArray.ConvBias] >= 0)
                {
                    Ptx.Prefetch(Address(arguments, here[(int)LayerArray.ConvBias]) + (channel * 4L));
                }
            }

            for (int i = thread; i < arguments.Features; i += Group.DimX)
            {
                if ((i & 31) == 0)
                {
                    Ptx.Prefetch(Address(arguments, here[(int)LayerArray.Norm]) + (i * 4L));
                }
            }
        }
    }

    [Inlined]
    private static void PrefetchState(PersistentArguments arguments, int layer, int channel)
    {
        long state = arguments.PoolAddress + (arguments.State(layer) * 4);
        for (int k = 0; k < arguments.Width; k++)
        {
            Ptx.Prefetch(state + ((((long)k * arguments.Channels) + channel) * 4));
        }

        PrefetchRange(state + ((((long)arguments.Width * arguments.Channels) + ((long)channel * arguments.States)) * 4), arguments.States * 4);
    }

    [Inlined]
    private static void PrefetchRange(long address, int bytes)
    {
        long end = address + bytes;
        for (long line = address & -LineBytes; line < end; line += LineBytes)
        {
            Ptx.Prefetch(line);
        }
    }

    private static long Address(PersistentArguments arguments, long place) => arguments.OriginAddress + (place * 16);
}
