using ILGPU;
using ILGPU.Runtime;

namespace Mamba.Managed.ILGPU.Kernels;

/// <summary><see cref="ScanArguments"/> and <see cref="ScanGradients"/> as fast kernels take them, in units of four numbers.</summary>
/// <remarks>
/// The workspace holds [sequences, channels, states + 2] sums of A_log, bias and D and [sequences, channels, states] carries, the gradients of h that go from a
/// chunk to the one before, as in the plain form; then the groups' terms of B and C, [groups, 2 * states, tokens].
/// </remarks>
internal struct FastScanGradients(in ScanArguments arguments, in ScanGradients gradients)
{
    public FastScan Scan = new(arguments);
    public ArrayView<Float4> OutputGradient = gradients.Y.Data;
    public ArrayView<Float4> InputGradient = gradients.U.Data;
    public ArrayView<Float4> DeltaGradient = gradients.Delta.Data;
    public ArrayView<Float4> GateGradient = gradients.Z.Data;
    public ArrayView<Float4> BGradient = gradients.B.Data;
    public ArrayView<Float4> CGradient = gradients.C.Data;
    public ArrayView<float> StateGradients = gradients.States.Pool;
    public ArrayView<float> Sums = gradients.Workspace.SubView(0, SumCount(arguments));
    public ArrayView<float> Carries = gradients.Workspace.SubView(SumCount(arguments), CarryCount(arguments));
    public ArrayView<Float4> Terms = gradients.Workspace.SubView(SumCount(arguments) + CarryCount(arguments), TermCount(arguments)).Cast<Float4>();
    public ArrayView<Float4> ChunkUnits = arguments.ChunkStates.Cast<Float4>();
    public long ChunkAddress = arguments.ChunkStates.LoadEffectiveAddressAsPtr();
    public long UAddress = arguments.U.Data.LoadEffectiveAddressAsPtr();
    public long DeltaAddress = arguments.Delta.Data.LoadEffectiveAddressAsPtr();
    public long ZAddress = arguments.Z.Data.LoadEffectiveAddressAsPtr();
    public long OutputGradientAddress = gradients.Y.Data.LoadEffectiveAddressAsPtr();
    public long StateLength = gradients.States.StateLength;
    public long StateOffset = gradients.States.Offset;
    public int Groups = arguments.Channels / ScanGradientKernels.GroupChannels;

    private static long SumCount(in ScanArguments arguments) => (long)arguments.Segments.Count * arguments.Channels * (arguments.StateCount + 2);

    private static long CarryCount(in ScanArguments arguments) => (long)arguments.Segments.Count * arguments.Channels * arguments.StateCount;

    private static long TermCount(in ScanArguments arguments) =>
        2L * (arguments.Channels / ScanGradientKernels.GroupChannels) * arguments.StateCount * arguments.Pitch;
}
