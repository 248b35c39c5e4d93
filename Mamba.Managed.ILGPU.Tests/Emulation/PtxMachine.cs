using ILGPU;
using ILGPU.Runtime;

namespace Mamba.Managed.ILGPU.Tests.Emulation;

/// <summary>
/// Carries out the code that ILGPU makes for NVIDIA GPUs, on the host: so the indices of kernels with matrix instructions and asynchronous copies are proven
/// without such a device. Every access to global memory is checked against the buffers.
/// </summary>
/// <remarks>
/// Warps run one after another from barrier to barrier; the lanes of a warp together, those that are furthest behind first. An asynchronous copy takes place either
/// at once or not before it is waited for: a kernel is right only if both give the same.
/// </remarks>
internal sealed class PtxMachine(PtxProgram program, byte[] parameters, bool copiesAtOnce)
{
    private readonly List<(ulong Start, ulong Length)> buffers = [];

    public PtxProgram Program => program;

    public byte[] Parameters => parameters;

    public bool CopiesAtOnce => copiesAtOnce;

    public byte[] Shared { get; } = new byte[program.SharedBytes];

    /// <summary>Makes a buffer in the host's memory known as global memory; it must outlive the machine.</summary>
    public void Add(MemoryBuffer buffer) => buffers.Add(((ulong)buffer.NativePtr, (ulong)buffer.LengthInBytes));

    /// <summary>The bytes at an address of global memory.</summary>
    public unsafe Span<byte> Global(ulong address, int count)
    {
        bool isInside = buffers.Any(buffer => address >= buffer.Start && address + (ulong)count <= buffer.Start + buffer.Length);
        return isInside && address % (ulong)count == 0
            ? new Span<byte>((void*)address, count)
            : throw new InvalidOperationException($"{count} bytes at {address} {(isInside ? "are not aligned" : "lie outside of all buffers")}");
    }

    public void Run(KernelConfig config)
    {
        (int threads, Index3D grid) = (config.GroupDim.X, config.GridDim);
        for (int y = 0; y < grid.Y; y++)
        {
            for (int x = 0; x < grid.X; x++)
            {
                RunGroup((grid.X, grid.Y), (x, y), threads);
            }
        }
    }

    private void RunGroup((int X, int Y) grid, (int X, int Y) group, int threads)
    {
        // Not-a-number in all shared memory: what is read without having been written must not matter.
        Shared.AsSpan().Fill(0xFF);
        PtxWarp[] warps = [.. Enumerable.Range(0, threads / PtxWarp.Lanes).Select(warp => new PtxWarp(this, grid, group, warp, threads))];
        while (warps.Any(warp => !warp.IsDone))
        {
            foreach (PtxWarp warp in warps)
            {
                warp.RunToBarrier();
            }
        }
    }
}
