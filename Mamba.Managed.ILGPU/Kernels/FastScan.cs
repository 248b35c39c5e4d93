using ILGPU;
using ILGPU.Runtime;

namespace Mamba.Managed.ILGPU.Kernels;

/// <summary><see cref="ScanArguments"/> as fast kernels take them: in units of four numbers, and B and C by address too, for asynchronous copies.</summary>
internal unsafe struct FastScan(in ScanArguments arguments)
{
    public ArrayView<Float4> U = arguments.U.Data;
    public ArrayView<Float4> Delta = arguments.Delta.Data;
    public ArrayView<Float4> Z = arguments.Z.Data;
    public ArrayView<Float4> B = arguments.B.Data;
    public ArrayView<Float4> C = arguments.C.Data;
    public ArrayView<Float4> Y = arguments.Y.Data;
    public ArrayView<float> A2 = arguments.A2;
    public ArrayView<float> DeltaBias = arguments.DeltaBias;
    public ArrayView<float> D = arguments.D;
    public ArrayView<Segment> Segments = arguments.Segments.Items;
    public ArrayView<float> Pool = arguments.States.Pool;
    public ArrayView<float> ChunkStates = arguments.ChunkStates;
    public long BAddress = Address(arguments.B.Data);
    public long CAddress = Address(arguments.C.Data);
    public long YAddress = arguments.Y.Data.Length > 0 ? Address(arguments.Y.Data) : 0;
    public long StateLength = arguments.States.StateLength;
    public long StateOffset = arguments.States.Offset;
    public int Saves = arguments.ChunkStates.Length > 0 ? 1 : 0;
    public int Channels = arguments.Channels;
    public int States = arguments.StateCount;
    public int Pitch = arguments.Pitch / 4;

    /// <summary>16-byte units from one row to the next.</summary>
    public int RowUnits = arguments.Pitch / (arguments.U.Type == NumberType.Float32 ? 4 : 8);

    private static long Address(ArrayView<Float4> view) => (long)(nint)view.LoadEffectiveAddressAsPtr();
}
