namespace Mamba.Managed.Kernels;

/// <summary>Panels of floating-point weights, multiplied in single precision.</summary>
internal abstract unsafe class FloatPanels : PanelKernels
{
    /// <summary>The weights of a run of inputs as [depth, 16] floats.</summary>
    /// <param name="panel">The panel.</param>
    /// <param name="first">The first input: an even number.</param>
    /// <param name="depth">How many inputs.</param>
    /// <param name="scratch">[depth, 16]; not used where the panel holds floats already.</param>
    /// <returns>The floats: <paramref name="scratch"/>, or the panel itself.</returns>
    public abstract float* Unpack(byte* panel, int first, int depth, float* scratch);

    /// <summary>Gemv over a run of panels: each output is one chain of multiply-adds over the inputs in ascending order.</summary>
    /// <param name="x">[inputs]</param>
    /// <param name="inputs">Inputs.</param>
    /// <param name="panels">The first panel.</param>
    /// <param name="count">Panels.</param>
    /// <param name="y">[16 count]</param>
    public abstract void Gemv(float* x, int inputs, byte* panels, int count, float* y);
}
